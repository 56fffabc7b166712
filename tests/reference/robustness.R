# What lme4 and glmmTMB say and estimate on data that break fits: the cases of tests/unit/frequentist/test_robustness.py.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/robustness.R tests/reference \
#     > tests/reference/robustness.out 2>&1
# Writes robustness.csv into the folder of the first argument. Needs lme4, glmmTMB, numDeriv.
#
# Both programs run as a user would run them, with their defaults, and their messages, warnings and errors are kept in
# full. Where the case has an answer, "reference" rows give it: glmmTMB tightened and finished by Newton as in
# laplace.R (REML and Gaussian: by lme4's criterion with bobyqa at rhoend 1e-9).
# The data need no file and no random numbers: z(i, k) is the normal quantile of a hash of whole numbers.

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(numDeriv)
})
options(digits = 12, width = 150, warn = 1)
arguments <- commandArgs(trailingOnly = TRUE)
folder <- if (length(arguments) >= 1) arguments[1] else "tests/reference"

for (piece in as.list(parse(file.path(folder, "laplace.R"), keep.source = FALSE))) {
  if (!is.call(piece) || !identical(piece[[1]], quote(`<-`)) || !is.name(piece[[2]])) next
  is_function <- is.call(piece[[3]]) && identical(piece[[3]][[1]], quote(`function`))
  if (is_function || startsWith(as.character(piece[[2]]), "tight")) eval(piece)
}
renamed <- c("(Intercept)" = "Intercept")

share <- function(i, k) ((i * i * (2 * k + 3) + 37 * i + 101 * k) %% 997 + 0.5) / 997
z <- function(i, k) qnorm(share(i, k))

# groups groups of size rows each, with a covariate, a Gaussian, a binary and a count response.
frame <- function(groups = 10, size = 6) {
  i <- seq_len(groups * size) - 1
  j <- i %/% size
  x <- z(i, 1)
  b <- z(j, 3)
  eta <- 0.3 + 0.8 * x + 0.9 * b
  data.frame(g = factor(paste0("g", j), levels = paste0("g", seq_len(groups) - 1)), x = x, y = 1 + 0.5 * x + 0.8 * b + z(i, 2),
             s = as.integer(share(i, 4) < plogis(eta)), n = floor(exp(1 + 0.4 * x + 0.5 * b) + share(i, 5)), row = factor(i),
             f = factor(c("a", "b", "c")[i %% 3 + 1]))
}

table <- data.frame()
add <- function(case, program, formula, family, method, words, estimate, loglik) {
  table <<- rbind(table, data.frame(case = case, formula = formula, family = family, method = method, program = program,
                                    parameter = names(estimate), estimate = sprintf("%.12g", estimate),
                                    loglik = sprintf("%.14g", loglik), words = words, row.names = NULL))
  cat(sprintf("\n== %s, %s, %s: %s (%s)\nlog-likelihood %.8f\n%s\n", case, program, method, formula, family, loglik, words))
  if (!identical(names(estimate), "none")) print(estimate)
}

heard <- function(call) {
  words <- character(0)
  keep <- function(condition) words <<- c(words, trimws(conditionMessage(condition)))
  value <- tryCatch(
    withCallingHandlers(call(), warning = function(w) { keep(w); invokeRestart("muffleWarning") },
                        message = function(m) { keep(m); invokeRestart("muffleMessage") }),
    error = function(e) { words <<- c(words, paste("Error:", trimws(conditionMessage(e)))); NULL })
  list(value = value, words = paste(gsub("[[:space:]]+", " ", unique(words)), collapse = " | "))
}

run <- function(case, d, text, family = "gaussian", method = "laplace", answer = TRUE, glmmtmb = TRUE) {
  formula <- as.formula(text)
  reml <- method == "reml"
  kind <- list(gaussian = gaussian(), bernoulli = binomial(), poisson = poisson())[[family]]
  is_gaussian <- family == "gaussian"
  as_users <- heard(function() if (is_gaussian) lmer(formula, d, REML = reml) else glmer(formula, d, family = kind))
  none <- c(none = NA_real_)
  if (is.null(as_users$value)) add(case, "lme4", text, family, method, as_users$words, none, NA)
  else add(case, "lme4", text, family, method, as_users$words, lme4_quantities(as_users$value, d)$estimate,
           as.numeric(logLik(as_users$value)))
  if (glmmtmb) {
    as_users <- heard(function() glmmTMB(formula, d, family = kind, REML = reml))
    if (is.null(as_users$value)) add(case, "glmmTMB", text, family, method, as_users$words, none, NA)
    else {
      estimate <- c(setNames(fixef(as_users$value)$cond, package_name(names(fixef(as_users$value)$cond), d)))
      sds <- lapply(VarCorr(as_users$value)$cond, attr, "stddev")
      names <- unlist(lapply(names(sds), function(g) if (length(sds[[g]]) == 1) sprintf("sd(%s)", g) else
        sprintf("sd(%s, %s)", g, package_name(names(sds[[g]]), d))))
      estimate <- c(estimate, setNames(unlist(sds), names))
      if (is_gaussian) estimate <- c(estimate, sigma = sigma(as_users$value))
      add(case, "glmmTMB", text, family, method, as_users$words, estimate, as.numeric(logLik(as_users$value)))
    }
  }
  if (!answer) return(invisible())
  if (is_gaussian) {
    # A radius of its own: bobyqa's default is a share of theta, nothing where theta is 0.
    tight_lmer$optCtrl$rhobeg <- 0.02
    best <- suppressWarnings(suppressMessages(lmer(formula, d, REML = reml, control = tight_lmer)))
    for (k in c(0.2, 1, 3))
      best <- better(best, suppressWarnings(suppressMessages(
        lmer(formula, d, REML = reml, control = tight_lmer, start = getME(best, "theta") * k + 0.05))))
    add(case, "reference", text, family, method, "", lme4_quantities(best, d)$estimate, as.numeric(logLik(best)))
  } else {
    fit <- fit_tmb(formula, d, kind)
    add(case, "reference", text, family, method, sprintf("largest gradient %.1e", fit$gradient), fit$estimate, fit$loglik)
  }
}

# ---- separation ------------------------------------------------------------------------------------------------------

d <- frame()
d$s <- as.integer(d$x > 0.1)
run("complete separation", d, "s ~ x + (1 | g)", "bernoulli", answer = FALSE)
d <- frame()
d$s[d$f == "c"] <- 1L
run("quasi-complete separation", d, "s ~ f + (1 | g)", "bernoulli", answer = FALSE)
d <- frame()
d$s[d$g == "g4"] <- 1L
run("separation in a group", d, "s ~ x + (1 | g)", "bernoulli")
d <- frame()
d$s <- as.integer(as.integer(d$g) %% 2)
run("separation in every group", d, "s ~ 1 + (1 | g)", "bernoulli", answer = FALSE)

# ---- counts ----------------------------------------------------------------------------------------------------------

d <- frame()
d$n <- 0
run("counts all zero", d, "n ~ x + (1 | g)", "poisson", answer = FALSE)
d <- frame()
d$n[d$g == "g4"] <- 0
run("counts all zero in a group", d, "n ~ x + (1 | g)", "poisson")
d <- frame()
d$n <- floor(exp(log(1e9) + 0.4 * d$x + 0.5 * z(as.integer(d$g) - 1, 3) + 0.3 * z(seq_len(60) - 1, 2)) + 0.5)
run("counts of 1e9", d, "n ~ x + (1 | g) + (1 | row)", "poisson")
run("counts of 1e9, one row a group", d, "n ~ 1 + (1 | row)", "poisson")

# ---- groups ----------------------------------------------------------------------------------------------------------

d <- frame()
run("one row a group, gaussian", d, "y ~ x + (1 | row)", "gaussian", "reml", answer = FALSE)
run("one row a group, counts", d, "n ~ x + (1 | row)", "poisson")
run("one row a group, binary", d, "s ~ x + (1 | row)", "bernoulli", answer = FALSE)
d <- frame()
d$g <- factor(c(rep("big", 55), paste0("one", 1:5)))
for (method in c("ml", "reml")) run("groups of 55, 1, 1, 1, 1, 1", d, "y ~ x + (1 | g)", "gaussian", method)
run("groups of 55, 1, 1, 1, 1, 1, binary", d, "s ~ x + (1 | g)", "bernoulli")

# ---- boundaries ------------------------------------------------------------------------------------------------------

d <- frame()
d$y <- d$y - ave(d$y, d$g) + mean(d$y)
for (method in c("ml", "reml")) run("no variance between groups", d, "y ~ 1 + (1 | g)", "gaussian", method)
d <- frame()
d$y <- as.integer(d$g) * 1.5
for (method in c("ml", "reml")) run("no variance within groups", d, "y ~ 1 + (1 | g)", "gaussian", method, answer = FALSE)

# ---- scales ----------------------------------------------------------------------------------------------------------

for (factor in c(1, 1e-8, 1e8)) {
  d <- frame()
  d$x <- d$x * factor
  label <- sprintf("covariate times %g", factor)
  for (method in c("ml", "reml")) run(label, d, "y ~ x + (x | g)", "gaussian", method, answer = factor == 1)
  run(paste0(label, ", binary"), d, "s ~ x + (1 | g)", "bernoulli", answer = factor == 1)
}
d <- frame()
d$w <- 2 * d$x + 1
run("collinear columns", d, "y ~ x + w + (1 | g)", "gaussian", "reml", answer = FALSE)
run("collinear columns, binary", d, "s ~ x + w + (1 | g)", "bernoulli", answer = FALSE)

# ---- many groups -----------------------------------------------------------------------------------------------------

d <- frame(100000, 2)
for (method in c("ml", "reml")) run("100,000 groups of two", d, "y ~ 1 + (1 | g)", "gaussian", method, glmmtmb = FALSE)
run("100,000 groups of two, binary", d, "s ~ x + (1 | g)", "bernoulli")

write.csv(table, file.path(folder, "robustness.csv"), row.names = FALSE, quote = c(1:6, 9))
cat("\n")
cat(R.version.string, " (", R.version$platform, ")\n", sep = "")
for (package in c("lme4", "glmmTMB", "TMB", "Matrix", "numDeriv")) cat(package, as.character(packageVersion(package)), "\n")
