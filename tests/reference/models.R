# Reference fits of the model files that no other script here fits: simulated data, probit variants, mpg, ordered ratings.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/models.R bayesglmm/datasets tests/reference \
#     > tests/reference/models.out 2>&1
# Reads the package's own CSV files (first argument); writes models.csv into the second. Needs lme4, glmmTMB, nlme, ordinal.
#
# lme4 stops early by default; it runs here with bobyqa (rhoend 1e-9), started again from where it stopped until nothing is
# gained. Its log-likelihoods by quadrature leave out the saturated part, which is 0 for single zeros and ones.

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(ordinal)
})
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

read_data <- function(name, ...) {
  d <- read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)
  for (column in c(...)) d[[column]] <- factor(d[[column]])
  d
}

rows <- list()
record <- function(model, method, options, parameters, estimates, errors, loglik, program, status = "computed") {
  rows[[length(rows) + 1]] <<- data.frame(
    model = model, method = method, options = options, parameter = parameters, estimate = signif(estimates, 12),
    std_error = signif(errors, 8), loglik = sprintf("%.12g", loglik), status = status, program = program
  )
}

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), calc.derivs = FALSE)
tight_glm <- glmerControl(
  optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12, calc.derivs = FALSE
)

with_derivatives <- glmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-9, maxfun = 1e5), tolPwrss = 1e-12)

# ---- linear mixed models: names of coefficients, then those of sds and correlations in lme4's order, sigma last ---------

linear <- function(model, text, data, coefficients, components) {
  for (reml in c(TRUE, FALSE)) {
    fit <- lmer(as.formula(text), data, REML = reml, control = tight)
    repeat {
      again <- update(fit, start = getME(fit, "theta"))
      gained <- as.numeric(logLik(again)) - as.numeric(logLik(fit))
      fit <- again
      if (gained < 1e-10) break
    }
    print(summary(fit))
    variances <- as.data.frame(VarCorr(fit))
    record(model, if (reml) "reml" else "ml", "{}", c(coefficients, components), c(fixef(fit), variances$sdcor),
           c(sqrt(diag(as.matrix(vcov(fit)))), rep(NA, nrow(variances))), as.numeric(logLik(fit)), "lme4")
  }
}

linear("car_fuel", "consumption ~ 1 + (1 | car)", read_data("car_fuel.csv", "car"), "Intercept", c("sd(car)", "sigma"))
linear("car_fuel_mpg", "hwy ~ 1 + (1 | manufacturer)", read_data("mpg.csv", "manufacturer"), "Intercept",
       c("sd(manufacturer)", "sigma"))
linear("school_test", "score ~ sex + (1 | school) + (1 | school:class)", read_data("school_test.csv", "school", "class"),
       c("Intercept", "sex[girl]"), c("sd(school:class)", "sd(school)", "sigma"))
linear("hierarchy4", "score ~ term + (1 | district/school/class/student)",
       read_data("hierarchy4.csv", "district", "school", "class", "student"), c("Intercept", "term"),
       c("sd(district:school:class:student)", "sd(district:school:class)", "sd(district:school)", "sd(district)", "sigma"))
hospitals <- read_data("hospitals.csv", "hospital")
hospitals$drug <- factor(hospitals$drug, levels = c("placebo", "active"))
linear("hospitals", "reduction ~ drug + (1 | hospital) + (1 | hospital:drug)", hospitals,
       c("Intercept", "drug[active]"), c("sd(hospital:drug)", "sd(hospital)", "sigma"))
linear("glucose_weekly", "glucose ~ week + exercise + (week | patient)", read_data("glucose_weekly.csv", "patient"),
       c("Intercept", "week", "exercise"),
       c("sd(patient, Intercept)", "sd(patient, week)", "cor(patient, Intercept, week)", "sigma"))
orthodont <- read_data("orthodont.csv", "subject")
orthodont$sex <- factor(orthodont$sex, levels = c("Male", "Female"))
linear("orthodont_intercept", "distance ~ I(age - 11) * sex + (1 | subject)", orthodont,
       c("Intercept", "I(age - 11)", "sex[Female]", "I(age - 11):sex[Female]"), c("sd(subject)", "sigma"))
linear("ovary_intercept", "follicles ~ sine + cosine + (1 | mare)", read_data("ovary.csv", "mare"),
       c("Intercept", "sine", "cosine"), c("sd(mare)", "sigma"))

# ---- counts --------------------------------------------------------------------------------------------------------

range <- read_data("range.csv", "block", "quadrat")
range$management <- factor(range$management, levels = c("continuous", "rotation", "rest"))
effects <- c("Intercept", "management[rotation]", "management[rest]", "fertilizer")
counts <- function(model, text, family, components, status = "computed") {
  fit <- glmmTMB(as.formula(text), range, family = family,
                 control = glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4, rel.tol = 1e-11)))
  print(summary(fit))
  found <- sapply(VarCorr(fit)$cond, function(v) attr(v, "stddev"))
  estimates <- c(fixef(fit)$cond, found)
  if (family == "nbinom2") estimates <- c(estimates, sigma(fit))
  errors <- sqrt(diag(vcov(fit)$cond))
  record(model, "laplace", "{}", c(effects, components), estimates, c(errors, rep(NA, length(estimates) - length(errors))),
         as.numeric(logLik(fit)), "glmmTMB", status)
}
counts("range", "plants ~ management + fertilizer + (1 | block) + (1 | block:management) + (1 | quadrat)", "poisson",
       c("sd(block)", "sd(block:management)", "sd(quadrat)"))
counts("range_poisson", "plants ~ management + fertilizer + (1 | block) + (1 | block:management)", "poisson",
       c("sd(block)", "sd(block:management)"))
# Variance mu + mu^2 / phi: glmmTMB's sigma() is phi.
counts("range_negbin", "plants ~ management + fertilizer + (1 | block) + (1 | block:management)", "nbinom2",
       c("sd(block)", "sd(block:management)", "phi"), status = "computed")

# ---- probit: adaptive quadrature with 100 nodes ----------------------------------------------------------------------

# On a link that is not canonical lme4 spreads the nodes by Fisher's weights and this package by the observed ones: two rules
# that differ with 25 nodes (2e-4 for the toenails) and agree with 100.

probit <- function(model, text, data, coefficients, component) {
  fit <- glmer(as.formula(text), data, family = binomial("probit"), nAGQ = 100, control = tight_glm)
  for (k in 1:3) fit <- update(fit, start = list(theta = getME(fit, "theta"), fixef = fixef(fit)))
  # Standard errors of the Hessian in all parameters.
  fit <- update(fit, control = with_derivatives, start = list(theta = getME(fit, "theta"), fixef = fixef(fit)))
  print(summary(fit))
  record(model, "agq", "{\"points\": 100}", c(coefficients, component),
         c(fixef(fit), attr(VarCorr(fit)[[1]], "stddev")), c(sqrt(diag(as.matrix(vcov(fit)))), NA),
         as.numeric(logLik(fit)), "lme4")
}
probit("wheeze_probit", "resp ~ age * smoke + (1 | id)", read_data("wheeze.csv", "id"),
       c("Intercept", "age", "smoke", "age:smoke"), "sd(id)")
probit("toenail_probit", "outcome ~ treatment * time + (1 | patient_id)",
       read_data("toenail.csv.gz", "patient_id", "treatment"),
       c("Intercept", "treatment[terbinafine]", "time", "treatment[terbinafine]:time"), "sd(patient_id)")
respiratory <- read_data("respiratory.csv", "center", "id", "treat", "sex")
respiratory$patient <- interaction(respiratory$center, respiratory$id, drop = TRUE)
probit("respiratory_probit", "outcome ~ center + treat + sex + age + baseline + (1 | patient)", respiratory,
       c("Intercept", "center[2]", "treat[P]", "sex[M]", "age", "baseline"), "sd(center:id)")

# ---- ordered ratings: cumulative logit, P(rating <= k) = logit^-1(cutpoint_k - eta) ------------------------------------

wine <- read_data("wine.csv", "judge")
wine$rating <- factor(wine$rating, ordered = TRUE)
cutpoints <- paste0("cutpoint[", 1:4, "|", 2:5, "]")
for (points in c(1, 25)) {
  fit <- clmm(rating ~ temp + contact + (1 | judge), wine, nAGQ = points, control = clmm.control(gradTol = 1e-8))
  print(summary(fit))
  record("wine", if (points == 1) "laplace" else "agq", if (points == 1) "{}" else "{\"points\": 25}",
         c(cutpoints, "temp[warm]", "contact[yes]", "sd(judge)"), c(fit$alpha, fit$beta, fit$ST$judge[1]),
         c(sqrt(diag(vcov(fit)))[1:6], NA), as.numeric(logLik(fit)), "ordinal", "elsewhere")
}

write.csv(do.call(rbind, rows), file.path(output_folder, "models.csv"), row.names = FALSE, na = "")
print(sessionInfo())
