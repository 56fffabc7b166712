# Reference fits by penalised and marginal quasi-likelihood with MASS::glmmPQL, one thread.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/pql.R bayesglmm/datasets tests/reference \
#     > tests/reference/pql.out 2>&1
# Reads the package's own CSV files (first argument); writes pql.csv into the second. Needs MASS and nlme.
#
# glmmPQL is taken as it is (method "glmmPQL"), and five times with single words of its text replaced:
#  - it stops when the linear predictor moves by less than a thousandth (sum of squares 1e-6); here by less than 3e-8;
#  - it estimates the variances by ML; with "REML" in its place, by REML;
#  - lme estimates a residual standard deviation; lmeControl(sigma = 1) holds it at 1, that is, no dispersion. With ML
#    only: REML at a fixed sigma is wrong in nlme 3.1-162 (last section: a balanced layout, where it is known exactly);
#  - fitted(fit) is the prediction with the group effects; fitted(fit, level = 0) without them turns PQL into MQL.

suppressPackageStartupMessages({
  library(MASS)
  library(nlme)
})
options(digits = 10, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

# ---- data ------------------------------------------------------------------------------------------------------------

read_data <- function(name) read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)
levelled <- function(values, first) relevel(factor(values), first)

salamander <- read_data("salamander.csv")
for (column in c("cross", "female", "male")) salamander[[column]] <- factor(salamander[[column]])
salamander$all <- factor(rep(1, nrow(salamander)))
# glmmPQL does not look for variables inside a pdBlocked; it finds these here.
female <- salamander$female
male <- salamander$male
multicenter <- read_data("multicenter.csv")
multicenter$treatment <- levelled(multicenter$treatment, "control")
cbpp <- read_data("cbpp.csv")
cbpp$period <- factor(cbpp$period)
toenail <- read_data("toenail.csv.gz")
toenail$treatment <- levelled(toenail$treatment, "itraconazole")
seeds <- read_data("seeds.csv")
seeds$seed <- levelled(seeds$seed, "O75")
seeds$extract <- levelled(seeds$extract, "bean")
bacteria <- read_data("bacteria.csv")
bacteria$trt <- levelled(bacteria$trt, "placebo")
epilepsy <- read_data("epilepsy.csv")
epilepsy$trt <- levelled(epilepsy$trt, "placebo")
epilepsy <- transform(epilepsy, lbase = log(base / 4), lage = log(age), visit = (2 * period - 5) / 10,
                      row = seq_len(nrow(epilepsy)))

# ---- problems: names of the estimates in the words of the package -----------------------------------------------------

intercept <- function(name) function(blocks) setNames(sqrt(blocks[[1]][1, 1]), sprintf("sd(%s)", name))

problems <- list(
  salamander = list(
    dataset = "salamander", formula = "mated ~ 0 + cross + (1 | female) + (1 | male)", family = "bernoulli",
    data = salamander, fixed = mated ~ 0 + cross, glm = binomial,
    random = list(all = pdBlocked(list(pdIdent(~ 0 + female), pdIdent(~ 0 + male)))),
    names = c("cross[RR]", "cross[RW]", "cross[WR]", "cross[WW]"),
    components = function(blocks) c("sd(female)" = sqrt(blocks[[1]][1, 1]), "sd(male)" = sqrt(blocks[[1]][61, 61]))),
  multicenter = list(
    dataset = "multicenter", formula = "favorable | trials(n) ~ treatment + (1 | clinic)", family = "binomial",
    data = multicenter, fixed = cbind(favorable, n - favorable) ~ treatment, glm = binomial, random = ~ 1 | clinic,
    names = c("Intercept", "treatment[drug]"), components = intercept("clinic")),
  cbpp = list(
    dataset = "cbpp", formula = "incidence | trials(size) ~ period + (1 | herd)", family = "binomial",
    data = cbpp, fixed = cbind(incidence, size - incidence) ~ period, glm = binomial, random = ~ 1 | herd,
    names = c("Intercept", "period[2]", "period[3]", "period[4]"), components = intercept("herd")),
  toenail = list(
    dataset = "toenail", formula = "outcome ~ treatment * time + (1 | patient_id)", family = "bernoulli",
    data = toenail, fixed = outcome ~ treatment * time, glm = binomial, random = ~ 1 | patient_id,
    names = c("Intercept", "treatment[terbinafine]", "time", "treatment[terbinafine]:time"),
    components = intercept("patient_id")),
  seeds = list(
    dataset = "seeds", formula = "y | trials(n) ~ seed + extract + (1 | plate)", family = "binomial",
    data = seeds, fixed = cbind(y, n - y) ~ seed + extract, glm = binomial, random = ~ 1 | plate,
    names = c("Intercept", "seed[O73]", "extract[cucumber]"), components = intercept("plate")),
  seeds_interaction = list(
    dataset = "seeds", formula = "y | trials(n) ~ seed * extract + (1 | plate)", family = "binomial",
    data = seeds, fixed = cbind(y, n - y) ~ seed * extract, glm = binomial, random = ~ 1 | plate,
    names = c("Intercept", "seed[O73]", "extract[cucumber]", "seed[O73]:extract[cucumber]"),
    components = intercept("plate")),
  bacteria = list(
    dataset = "bacteria", formula = "y ~ trt + late + (1 | id)", family = "bernoulli",
    data = bacteria, fixed = y ~ trt + late, glm = binomial, random = ~ 1 | id,
    names = c("Intercept", "trt[drug]", "trt[drug+]", "late"), components = intercept("id")),
  epilepsy = list(
    dataset = "epilepsy", formula = "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject)", family = "poisson",
    data = epilepsy, fixed = y ~ lbase * trt + lage + v4, glm = poisson, random = ~ 1 | subject,
    names = c("Intercept", "log(base / 4)", "trt[progabide]", "log(age)", "v4", "log(base / 4):trt[progabide]"),
    components = intercept("subject")),
  epilepsy_rows = list(
    dataset = "epilepsy", formula = "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject) + (1 | row)",
    family = "poisson", data = epilepsy, fixed = y ~ lbase * trt + lage + v4, glm = poisson,
    random = list(subject = ~ 1, row = ~ 1),
    names = c("Intercept", "log(base / 4)", "trt[progabide]", "log(age)", "v4", "log(base / 4):trt[progabide]"),
    components = function(blocks) c("sd(subject)" = sqrt(blocks$subject[1, 1]), "sd(row)" = sqrt(blocks$row[1, 1]))),
  epilepsy_slopes = list(
    dataset = "epilepsy", formula = "y ~ log(base / 4) * trt + log(age) + visit + (visit | subject)",
    family = "poisson", data = epilepsy, fixed = y ~ lbase * trt + lage + visit, glm = poisson,
    random = ~ visit | subject,
    names = c("Intercept", "log(base / 4)", "trt[progabide]", "log(age)", "visit", "log(base / 4):trt[progabide]"),
    components = function(blocks) {
      G <- blocks[[1]]
      c("sd(subject, Intercept)" = sqrt(G[1, 1]), "sd(subject, visit)" = sqrt(G[2, 2]),
        "cor(subject, Intercept, visit)" = G[1, 2] / sqrt(G[1, 1] * G[2, 2]))
    })
)

# ---- glmmPQL with words of its text replaced ---------------------------------------------------------------------------

edited <- function(...) {
  lines <- deparse(body(glmmPQL))
  changes <- list(...)
  for (change in changes) {
    if (sum(grepl(change[1], lines, fixed = TRUE)) != 1) stop("glmmPQL has changed: ", change[1])
    lines <- sub(change[1], change[2], lines, fixed = TRUE)
  }
  made <- glmmPQL
  body(made) <- parse(text = lines)[[1]]
  made
}

tight <- c("1e-06 * sum(eta^2)", "1e-15 * sum(eta^2)")
reml <- c("mcall$method <- \"ML\"", "mcall$method <- \"REML\"")
marginal <- c("eta <- fitted(fit) + off", "eta <- fitted(fit, level = 0) + off")
# relative changes at which nlme stops; its own defaults are 1e-6 and 1e-7
sharp <- function(...) lmeControl(maxIter = 500, msMaxIter = 500, niterEM = 10, tolerance = 1e-12, msTol = 1e-14, ...)

methods <- list(
  "glmmPQL" = list(fit = glmmPQL, control = lmeControl(), niter = 10, label = c("pql", "ml", "TRUE")),
  "converged" = list(fit = edited(tight), control = sharp(), niter = 40, label = c("pql", "ml", "TRUE")),
  "no dispersion" = list(fit = edited(tight), control = sharp(sigma = 1), niter = 40, label = c("pql", "ml", "FALSE")),
  "REML" = list(fit = edited(tight, reml), control = sharp(), niter = 40, label = c("pql", "reml", "TRUE")),
  "MQL" = list(fit = edited(tight, marginal), control = sharp(sigma = 1), niter = 40, label = c("mql", "ml", "FALSE")),
  "MQL REML" = list(fit = edited(tight, marginal, reml), control = sharp(), niter = 40,
                    label = c("mql", "reml", "TRUE"))
)

run <- function(name, how) {
  problem <- problems[[name]]
  method <- methods[[how]]
  cat(sprintf("\n== %s, %s\n%s, %s\n", name, how, problem$formula, problem$family))
  fit <- do.call(method$fit, list(fixed = problem$fixed, random = problem$random, family = problem$glm,
                                  data = problem$data, control = method$control, niter = method$niter,
                                  verbose = FALSE))
  blocks <- lapply(fit$modelStruct$reStruct, function(block) as.matrix(block) * fit$sigma^2)
  components <- problem$components(blocks)
  dispersion <- method$label[3] == "TRUE"
  estimates <- c(setNames(fixef(fit), problem$names), components, if (dispersion) c(phi = fit$sigma^2))
  others <- rep(NA, length(components) + dispersion)
  table <- data.frame(
    problem = name, dataset = problem$dataset, formula = problem$formula, family = problem$family,
    as_it_is = how == "glmmPQL", method = method$label[1], variance = method$label[2], dispersion = method$label[3],
    parameter = names(estimates), estimate = unname(estimates),
    std_error = c(sqrt(diag(fit$varFix)), others),
    printed_std_error = c(summary(fit)$tTable[, "Std.Error"], others))
  stopifnot(length(problem$names) == length(fixef(fit)))
  print(table[c("parameter", "estimate", "std_error", "printed_std_error")], row.names = FALSE)
  cat("coefficients in R's words:", names(fixef(fit)), "\n")
  if (length(fit$sigma)) cat("residual standard deviation", format(fit$sigma), "\n")
  table
}

tables <- list()
for (name in names(problems)) {
  for (how in names(methods)) {
    table <- tryCatch(run(name, how), error = function(e) {
      cat("failed:", conditionMessage(e), "\n")
      NULL
    })
    tables[[length(tables) + 1]] <- table
  }
}
all <- do.call(rbind, tables)
for (column in c("estimate", "std_error", "printed_std_error")) all[[column]] <- signif(all[[column]], 10)
write.csv(all, file.path(output_folder, "pql.csv"), row.names = FALSE)

# ---- REML at a fixed sigma in nlme: why no run above uses it ---------------------------------------------------------------

dyestuff <- read_data("dyestuff.csv")
dyestuff$batch <- factor(dyestuff$batch)
between <- anova(lm(yield ~ batch, dyestuff))[1, "Mean Sq"]
rows <- nrow(dyestuff) / nlevels(dyestuff$batch)
shrunk <- 1 - 1 / nlevels(dyestuff$batch)
cat("\n== dyestuff: sd(batch) at a known sigma of 50, exactly and by lme\n")
for (criterion in c("REML", "ML")) {
  fit <- lme(yield ~ 1, random = ~ 1 | batch, data = dyestuff, method = criterion, control = lmeControl(sigma = 50))
  exact <- sqrt((between * (if (criterion == "ML") shrunk else 1) - 50^2) / rows)
  cat(sprintf("%-4s exactly %.5f, lme %.5f\n", criterion, exact, sqrt(getVarCov(fit)[1, 1])))
}

cat("\n", R.version.string, "; MASS ", format(packageVersion("MASS")), "; nlme ", format(packageVersion("nlme")), "\n", sep = "")
