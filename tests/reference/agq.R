# Reference fits by maximum likelihood with adaptive Gauss-Hermite quadrature: lme4, one grouping factor, one effect a level.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/agq.R bayesglmm/datasets tests/reference \
#     > tests/reference/agq.out 2>&1
# Reads the package's own CSV files (first argument); writes agq.csv into the second. Needs lme4.
#
# lme4 has no gradient and stops early by default; it runs here with bobyqa (rhoend 1e-9, tolPwrss 1e-12), started again from
# where it stopped until nothing is gained. Its log-likelihoods by quadrature leave out the saturated part; it is added here,
# so that every constant (binomial coefficients, factorials) is in.

suppressPackageStartupMessages(library(lme4))
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

read_data <- function(name, factors, levels = list()) {
  d <- read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)
  for (column in factors) d[[column]] <- factor(d[[column]])
  for (column in names(levels)) d[[column]] <- factor(d[[column]], levels = levels[[column]])
  d
}
toenail <- read_data("toenail.csv.gz", c("patient_id", "treatment"))
cbpp <- read_data("cbpp.csv", c("herd", "period"))
multicenter <- read_data("multicenter.csv", "clinic", list(treatment = c("control", "drug")))
seeds <- read_data("seeds.csv", "plate", list(seed = c("O75", "O73"), extract = c("bean", "cucumber")))
bacteria <- read_data("bacteria.csv", "id", list(trt = c("placebo", "drug", "drug+")))
wheeze <- read_data("wheeze.csv", "id")
respiratory <- read_data("respiratory.csv", c("center", "id", "treat", "sex"))
epilepsy <- read_data("epilepsy.csv", "subject", list(trt = c("placebo", "progabide")))

tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhobeg = 0.01, rhoend = 1e-9, maxfun = 1e5),
                      check.conv.grad = "ignore", check.conv.hess = "ignore", check.conv.singular = "ignore")

fit_lme4 <- function(formula, d, family, nodes) {
  fit <- glmer(formula, d, family = family, nAGQ = nodes, control = tight)
  repeat {
    start <- list(theta = getME(fit, "theta") * 1.05 + 0.001, fixef = fixef(fit))
    again <- glmer(formula, d, family = family, nAGQ = nodes, control = tight, start = start)
    gain <- as.numeric(logLik(again)) - as.numeric(logLik(fit))
    if (gain > 0) fit <- again
    if (gain < 1e-9) return(fit)
  }
}

saturated <- function(fit) {
  y <- model.response(model.frame(fit))
  if (family(fit)$family == "poisson") return(sum(dpois(y, y, log = TRUE)))
  if (is.matrix(y)) sum(dbinom(y[, 1], rowSums(y), y[, 1] / rowSums(y), log = TRUE)) else 0
}

table <- data.frame()
problem <- function(name, dataset, d, text, formula, family, nodes, parameters, sd) {
  for (k in nodes) {
    fit <- fit_lme4(formula, d, family, k)
    estimate <- c(fixef(fit), attr(VarCorr(fit)[[1]], "stddev"))
    std_error <- c(sqrt(diag(as.matrix(vcov(fit)))), NA)
    loglik <- as.numeric(logLik(fit)) + saturated(fit)
    cat(sprintf("\n== %s, %d nodes\n%s, %s(%s)\n", name, k, text, family$family, family$link))
    cat(sprintf("log-likelihood %.10f (lme4 prints %.10f)\n", loglik, as.numeric(logLik(fit))))
    print(data.frame(lme4 = names(estimate), estimate = estimate, std_error = std_error,
                     row.names = c(parameters, sd)))
    bernoulli <- family$family == "binomial" && !grepl("trials(", text, fixed = TRUE)
    table <<- rbind(table, data.frame(
      problem = name, dataset = dataset, formula = text, family = if (bernoulli) "bernoulli" else family$family,
      points = k, parameter = c(parameters, sd), estimate = sprintf("%.10g", estimate),
      std_error = ifelse(is.na(std_error), "", sprintf("%.8g", std_error)), loglik = sprintf("%.10f", loglik)))
  }
}

logit <- binomial("logit")
problem("toenail", "toenail", toenail, "outcome ~ treatment * time + (1 | patient_id)",
        outcome ~ treatment * time + (1 | patient_id), logit, c(5, 11, 25, 50, 100),
        c("Intercept", "treatment[terbinafine]", "time", "treatment[terbinafine]:time"), "sd(patient_id)")
problem("toenail_month", "toenail", toenail, "outcome ~ treatment * month + (1 | patient_id)",
        outcome ~ treatment * month + (1 | patient_id), logit, c(3, 5, 10, 20, 50),
        c("Intercept", "treatment[terbinafine]", "month", "treatment[terbinafine]:month"), "sd(patient_id)")
problem("cbpp", "cbpp", cbpp, "incidence | trials(size) ~ period + (1 | herd)",
        cbind(incidence, size - incidence) ~ period + (1 | herd), logit, c(9, 25),
        c("Intercept", "period[2]", "period[3]", "period[4]"), "sd(herd)")
problem("multicenter", "multicenter", multicenter, "favorable | trials(n) ~ treatment + (1 | clinic)",
        cbind(favorable, n - favorable) ~ treatment + (1 | clinic), logit, c(5, 25),
        c("Intercept", "treatment[drug]"), "sd(clinic)")
problem("seeds", "seeds", seeds, "y | trials(n) ~ seed * extract + (1 | plate)",
        cbind(y, n - y) ~ seed * extract + (1 | plate), logit, 25,
        c("Intercept", "seed[O73]", "extract[cucumber]", "seed[O73]:extract[cucumber]"), "sd(plate)")
problem("seeds_main", "seeds", seeds, "y | trials(n) ~ seed + extract + (1 | plate)",
        cbind(y, n - y) ~ seed + extract + (1 | plate), logit, 25,
        c("Intercept", "seed[O73]", "extract[cucumber]"), "sd(plate)")
problem("bacteria", "bacteria", bacteria, "y ~ trt + late + (1 | id)", y ~ trt + late + (1 | id), logit, 25,
        c("Intercept", "trt[drug]", "trt[drug+]", "late"), "sd(id)")
problem("wheeze", "wheeze", wheeze, "resp ~ age * smoke + (1 | id)", resp ~ age * smoke + (1 | id), logit, 25,
        c("Intercept", "age", "smoke", "age:smoke"), "sd(id)")
problem("respiratory", "respiratory", respiratory, "outcome ~ center + treat + sex + age + baseline + (1 | center:id)",
        outcome ~ center + treat + sex + age + baseline + (1 | center:id), logit, 25,
        c("Intercept", "center[2]", "treat[P]", "sex[M]", "age", "baseline"), "sd(center:id)")
problem("epilepsy", "epilepsy", epilepsy, "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject)",
        y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject), poisson(), 25,
        c("Intercept", "log(base / 4)", "trt[progabide]", "log(age)", "v4", "log(base / 4):trt[progabide]"),
        "sd(subject)")

write.csv(table, file.path(output_folder, "agq.csv"), row.names = FALSE, quote = c(1:4, 6))
cat("\n")
cat(R.version.string, " (", R.version$platform, ")\n", sep = "")
for (package in c("lme4", "Matrix", "minqa")) cat(package, as.character(packageVersion(package)), "\n")
