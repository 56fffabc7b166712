# Reference fits for the classical methods: ml and reml of Gaussian models, laplace of all others.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/frequentist.R bayesglmm/datasets tests/reference \
#     > tests/reference/frequentist.out 2>&1
# Reads the package's own CSV files (first argument); writes frequentist.csv into the second. Needs lme4, glmmTMB, nlme,
# numDeriv. What laplace.csv holds already is not repeated here.
#
# How the optimum is made sure of:
#  - ml, reml: lme4's profiled criterion, the best of three optimisers and three starts, then Newton steps with numerical
#    derivatives. Standard errors of coefficients are (X' V^-1 X)^-1; those of standard deviations, correlations and sigma
#    come from the Hessian of the criterion in (theta, log sigma), the coefficients profiled out, by the delta rule.
#    glmmTMB, another program with another parameterisation, checks the log-likelihood, the estimates and the standard
#    errors of the variance parameters; on unbalanced data its standard errors of coefficients belong to the Hessian of
#    all parameters at once ("joint" in the output) and differ in the third digit or so.
#  - laplace: glmmTMB tightened and finished by Newton on the exact gradient, lme4 as the check: see laplace.R, whose
#    functions are used. On links that are not canonical the two are different approximations, and both are recorded:
#    options {"information": "observed"} (glmmTMB) and {"information": "expected"} (lme4, Fisher weights).
#  - multicenter_fixed and epilepsy_1 have no group effects: glm.

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(numDeriv)
})
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

# The functions of laplace.R (and its settings of lme4), without its problems.
for (piece in as.list(parse(file.path(output_folder, "laplace.R"), keep.source = FALSE))) {
  if (!is.call(piece) || !identical(piece[[1]], quote(`<-`)) || !is.name(piece[[2]])) next
  is_function <- is.call(piece[[3]]) && identical(piece[[3]][[1]], quote(`function`))
  if (is_function || startsWith(as.character(piece[[2]]), "tight")) eval(piece)
}

# ---- data: the same levels and baselines as bayesglmm/datasets/catalogue.toml ----------------------------------------

from <- function(name, ...) as_factors(read_data(name), ...)
dyestuff <- from("dyestuff.csv", "batch")
rail <- from("rail.csv", "rail")
sleepstudy <- from("sleepstudy.csv", "subject")
penicillin <- from("penicillin.csv", "plate", "sample")
pastes <- from("pastes.csv", "batch", "cask")
orthodont <- from("orthodont.csv", "subject")
orthodont$male <- as.integer(orthodont$sex == "Male")
orthodont$age_11 <- orthodont$age - 11
oats <- from("oats.csv", "block", "variety")
ovary <- from("ovary.csv", "mare")
ovary$s <- sin(2 * pi * ovary$time)
ovary$c <- cos(2 * pi * ovary$time)
glucose <- from("glucose.csv", "subject", "date")
# poly() of formulae is R's: orthonormal columns, which the REML log-likelihood depends on.
for (k in 1:3) glucose[[paste0("p", k)]] <- as.numeric(poly(glucose$time, 3)[, k])
glucose$occasion <- interaction(glucose$subject, glucose$date, drop = TRUE)
highschool <- from("highschool.csv.gz", "school")
highschool$sector <- factor(highschool$sector, levels = c("Public", "Catholic"))
egsingle <- from("egsingle.csv.gz", "schoolid", "childid")
insteval <- from("insteval.csv.gz", "s", "d", "dept")
insteval$good <- as.integer(insteval$y >= 4)

toenail <- from("toenail.csv.gz", "patient_id", "treatment")
wheeze <- from("wheeze.csv", "id")
respiratory <- from("respiratory.csv", "center", "id", "sex")
respiratory$active <- as.integer(respiratory$treat == "A")
bacteria <- from("bacteria.csv", "id")
bacteria$trt <- factor(bacteria$trt, levels = c("placebo", "drug", "drug+"))
bacteria$late <- as.integer(bacteria$week > 2)
seeds <- from("seeds.csv", "plate", "extract")
seeds$seed <- factor(seeds$seed, levels = c("O75", "O73"))
epilepsy <- from("epilepsy.csv", "subject", "trt")
epilepsy$lb <- log(epilepsy$base / 4)
epilepsy$la <- log(epilepsy$age)
epilepsy$clb <- epilepsy$lb - mean(epilepsy$lb)
epilepsy$cla <- epilepsy$la - mean(epilepsy$la)
epilepsy$visit <- (epilepsy$period - 2.5) / 5
multicenter <- from("multicenter.csv", "clinic", "treatment")
multicenter$t <- (multicenter$treatment == "drug") - 0.5
grouseticks <- from("grouseticks.csv", "index", "brood", "year", "location")
grouseticks$height_centred <- grouseticks$height - mean(grouseticks$height)
baseball <- from("baseball.csv", "name")

renamed <- c("(Intercept)" = "Intercept", height_centred = "center(height)", "cask:batch" = "batch:cask",
             "variety:block" = "block:variety", age_11 = "I(age - 11)", lb = "log(base / 4)", la = "log(age)",
             clb = "center(log(base / 4))", cla = "center(log(age))", occasion = "subject:date",
             p1 = "poly(time, 3)[0]", p2 = "poly(time, 3)[1]", p3 = "poly(time, 3)[2]",
             "cses:sectorCatholic" = "sector[Catholic]:cses")

# ---- the record ------------------------------------------------------------------------------------------------------

table <- data.frame()
record <- function(problem, dataset, assign, text, family, method, options, estimate, std_error, loglik, note,
                   status = "computed") {
  family_name <- if (family$family == "binomial" && !grepl("trials(", text, fixed = TRUE)) "bernoulli" else family$family
  table <<- rbind(table, data.frame(
    problem = problem, dataset = dataset, assign = assign, formula = text, family = family_name, link = family$link,
    method = method, options = options, parameter = names(estimate), estimate = sprintf("%.12g", estimate),
    std_error = ifelse(is.na(std_error), "", sprintf("%.12g", std_error)), loglik = sprintf("%.14g", loglik),
    status = status, note = note, row.names = NULL
  ))
  shown <- data.frame(estimate = estimate, std_error = as.numeric(std_error), row.names = names(estimate))
  cat(sprintf("\n== %s, %s %s\n%s%s, %s(%s)\nlog-likelihood %.10f%s\n", problem, method, options, text,
              if (nzchar(assign)) paste0(" with ", assign) else "", family_name, family$link, loglik,
              if (nzchar(note)) paste0("; ", note) else ""))
  print(shown)
}

# ---- ml and reml -----------------------------------------------------------------------------------------------------

# -2 log-likelihood of (theta, log sigma), the coefficients profiled out, and all reported quantities of the same.
criterion <- function(fit, formula, d, reml) {
  deviance <- suppressMessages(lmer(formula, d, REML = reml, devFunOnly = TRUE))
  inside <- environment(deviance)
  n <- nobs(fit) - if (reml) length(fixef(fit)) else 0
  function(v) {
    theta <- v[-length(v)]
    sigma2 <- exp(2 * v[length(v)])
    deviance(theta)
    squares <- inside$resp$wrss() + inside$pp$sqrL(1)
    inside$pp$ldL2() + (if (reml) inside$pp$ldRX2() else 0) + n * log(2 * pi * sigma2) + squares / sigma2
  }
}

lmer_best <- function(formula, d, reml, thorough) {
  kinds <- list(bobyqa = tight_lmer)
  if (thorough)
    kinds <- c(kinds, list(
      nloptwrap = lmerControl(optimizer = "nloptwrap", optCtrl = list(xtol_abs = 1e-12, ftol_abs = 1e-12, maxeval = 1e4)),
      Nelder_Mead = lmerControl(optimizer = "Nelder_Mead", optCtrl = list(maxfun = 1e5, FtolAbs = 1e-12, XtolRel = 1e-12))
    ))
  best <- suppressMessages(lmer(formula, d, REML = reml, control = tight_lmer))
  first <- getME(best, "theta")
  for (control in kinds)
    for (factor in if (thorough) c(0.3, 1, 3) else 1.05)
      best <- better(best, suppressWarnings(suppressMessages(
        lmer(formula, d, REML = reml, control = control, start = first * factor + 0.01))))
  best
}

gaussian_problem <- function(name, dataset, d, text, formula, assign = "", tmb = formula, thorough = TRUE,
                             methods = c("ml", "reml"), note = "lme4") {
  for (method in methods) {
    reml <- method == "reml"
    fit <- lmer_best(formula, d, reml, thorough)
    minus2 <- criterion(fit, formula, d, reml)
    v <- c(getME(fit, "theta"), log(sigma(fit)))
    value <- minus2(v)
    arguments <- list(r = 4, d = 0.03, eps = 2e-3, zero.tol = 0.1)
    for (k in 1:4) {
      slope <- grad(minus2, v, method.args = arguments)
      curvature <- hessian(minus2, v, method.args = arguments)
      proposal <- v - solve(curvature, slope)
      if (any(proposal[-length(v)][fit@lower == 0] < 0) || minus2(proposal) > value + 1e-9) break
      v <- proposal
      value <- minus2(v)
      if (sum(slope * solve(curvature, slope)) < 1e-12) break
    }
    # Put the polished theta back into a fitted model: lme4 computes the rest from it.
    polished <- suppressMessages(lmer(formula, d, REML = reml, start = v[-length(v)],
                                      control = lmerControl(optimizer = NULL, calc.derivs = FALSE)))
    stopifnot(abs(-2 * as.numeric(logLik(polished)) - value) < 1e-7)
    covariance <- 2 * solve(curvature)
    theirs <- lme4_quantities(polished, d)
    variance_parameters <- function(v) natural(polished, v, d)
    here <- variance_parameters(v)
    slope <- jacobian(function(w) unname(variance_parameters(w)), v)
    errors <- setNames(sqrt(diag(slope %*% covariance %*% t(slope))), names(here))
    stopifnot(max(abs(here / theirs$estimate[names(here)] - 1)) < 1e-5)
    std_error <- setNames(theirs$std_error, names(theirs$estimate))
    std_error[names(errors)] <- errors
    record(name, dataset, assign, text, gaussian(), method, "{}", theirs$estimate, std_error,
           as.numeric(logLik(polished)), note)
    cat(sprintf("largest gradient of the criterion %.2e\n", max(abs(grad(minus2, v, method.args = arguments)))))
    if (!is.null(tmb)) check_tmb(tmb, d, reml, theirs$estimate, std_error, as.numeric(logLik(polished)))
  }
}

# Standard deviations, correlations, sigma of v = (theta, log sigma), by the package's names.
natural <- function(fit, v, d) {
  sigma <- exp(v[length(v)])
  theta <- v[-length(v)]
  factors <- names(fit@cnms)
  out <- c()
  at <- 0
  for (k in seq_along(fit@cnms)) {
    effects <- package_name(fit@cnms[[k]], d)
    q <- length(effects)
    L <- matrix(0, q, q)
    L[lower.tri(L, diag = TRUE)] <- theta[at + seq_len(q * (q + 1) / 2)]
    at <- at + q * (q + 1) / 2
    G <- sigma^2 * L %*% t(L)
    group <- package_name(factors[k], d)
    alone <- identical(effects, "Intercept") && sum(factors == factors[k]) == 1
    out <- c(out, setNames(sqrt(diag(G)), if (alone) sprintf("sd(%s)", group) else sprintf("sd(%s, %s)", group, effects)))
    if (q == 2)
      out <- c(out, setNames(cov2cor(G)[1, 2], sprintf("cor(%s, %s, %s)", group, effects[1], effects[2])))
  }
  c(out, sigma = sigma)
}

check_tmb <- function(formula, d, reml, estimate, std_error, loglik) {
  control <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4), conv_check = "skip")
  fit <- tighten(glmmTMB(formula, d, REML = reml, control = control))
  optimum <- newton(fit)
  par <- setNames(optimum$par, names(fit$fit$par))
  values <- if (reml) reml_quantities(fit, d) else quantities(fit, d)
  ours <- values(par)
  slope <- jacobian(function(p) unname(values(setNames(p, names(par)))), par)
  errors <- sqrt(diag(slope %*% optimum$covariance %*% t(slope)))
  names(errors) <- names(ours)
  variance <- grepl("^(sd|cor)\\(|^sigma$", names(ours))
  relative <- function(a, b) max(abs(a / b - 1))
  cat(sprintf("glmmTMB: log-likelihood %.10f (%+.2e); largest relative difference of an estimate %.1e, of a standard error of a variance parameter %.1e%s\n",
              optimum$loglik, optimum$loglik - loglik, relative(ours, estimate[names(ours)]),
              relative(errors[variance], std_error[names(ours)][variance]),
              if (reml) "" else sprintf("; joint standard errors of coefficients %s",
                                        paste(sprintf("%.6g", errors[!variance]), collapse = " "))))
}

# Under REML the coefficients are integrated out: only the variance parameters are left to compare.
reml_quantities <- function(fit, d) {
  all <- quantities(fit, d)
  assign("fixed", character(0), environment(all))
  all
}

# ---- laplace ---------------------------------------------------------------------------------------------------------

laplace_problem <- function(name, dataset, d, text, tmb, family, lme4 = tmb, assign = "", note = "", start = NULL,
                            check = TRUE) {
  fit <- fit_tmb(tmb, d, family, start)
  canonical <- paste(family$family, family$link) %in% c("binomial logit", "poisson log")
  said <- if (canonical) "{}" else '{"information": "observed"}'
  record(name, dataset, assign, text, family, "laplace", said, fit$estimate, fit$std_error, fit$loglik,
         if (nzchar(note)) note else "glmmTMB")
  cat(sprintf("largest gradient %.2e; eta from %.3f to %.3f\n", fit$gradient, fit$eta[1], fit$eta[2]))
  if (!check) return(invisible())
  other <- fit_lme4(lme4, d, family)
  theirs <- lme4_quantities(other, d)
  if (canonical) {
    gaps <- theirs$estimate[names(fit$estimate)] - fit$estimate
    cat(sprintf("lme4: log-likelihood %.10f (%+.2e); largest difference of an estimate %.2e\n", logLik(other),
                as.numeric(logLik(other)) - fit$loglik, max(abs(gaps))))
  } else {
    expected(name, dataset, assign, text, family, other, lme4, d)
  }
}

# lme4's own Laplace log-likelihood, polished and differentiated: its parameters are (theta, beta), theta = sd here.
expected <- function(name, dataset, assign, text, family, fit, formula, d) {
  deviance <- glmer(formula, d, family = family, control = tight, devFunOnly = TRUE)
  v <- c(getME(fit, "theta"), fixef(fit))
  arguments <- list(r = 4, d = 1e-2, zero.tol = 1e-4)
  for (k in 1:3) {
    slope <- grad(deviance, v, method.args = arguments)
    curvature <- hessian(deviance, v, method.args = arguments)
    proposal <- v - solve(curvature, slope)
    if (deviance(proposal) > deviance(v) + 1e-9) break
    v <- proposal
  }
  errors <- sqrt(diag(2 * solve(curvature)))
  names(v) <- c(sprintf("sd(%s)", package_name(names(fit@cnms), d)), package_name(names(fixef(fit)), d))
  order <- c(seq_along(v)[-seq_along(fit@cnms)], seq_along(fit@cnms))
  record(name, dataset, assign, text, family, "laplace", '{"information": "expected"}', v[order], errors[order],
         -deviance(v) / 2, "lme4")
  cat(sprintf("largest gradient of the deviance %.2e; logLik of the fit %.10f\n", max(abs(slope)), logLik(fit)))
}

glm_problem <- function(name, dataset, d, text, formula, family) {
  fit <- glm(formula, family, d, epsilon = 1e-14, maxit = 100)
  estimate <- setNames(coef(fit), package_name(names(coef(fit)), d))
  record(name, dataset, "", text, family, "laplace", "{}", estimate, sqrt(diag(vcov(fit))), as.numeric(logLik(fit)),
         "no group effects: glm")
}

# ---- Gaussian problems -----------------------------------------------------------------------------------------------

gaussian_problem("dyestuff", "dyestuff", dyestuff, "yield ~ 1 + (1 | batch)", yield ~ 1 + (1 | batch))
gaussian_problem("rail", "rail", rail, "travel ~ 1 + (1 | rail)", travel ~ 1 + (1 | rail))
gaussian_problem("sleepstudy", "sleepstudy", sleepstudy, "reaction ~ days + (days | subject)",
                 reaction ~ days + (days | subject))
gaussian_problem("sleepstudy_independent", "sleepstudy", sleepstudy, "reaction ~ days + (days || subject)",
                 reaction ~ days + (1 | subject) + (0 + days | subject), tmb = reaction ~ days + diag(days | subject))
gaussian_problem("penicillin", "penicillin", penicillin, "diameter ~ 1 + (1 | plate) + (1 | sample)",
                 diameter ~ 1 + (1 | plate) + (1 | sample))
gaussian_problem("pastes", "pastes", pastes, "strength ~ 1 + (1 | batch/cask)", strength ~ 1 + (1 | batch/cask))
gaussian_problem("orthodont", "orthodont", orthodont, "distance ~ I(age - 11) * male + (I(age - 11) | subject)",
                 distance ~ age_11 * male + (age_11 | subject), assign = "male = (sex == 'Male') * 1")
gaussian_problem("oats", "oats", oats, "yield ~ nitro + (1 | block/variety)", yield ~ nitro + (1 | block/variety))
gaussian_problem("ovary", "ovary", ovary, "follicles ~ s + c + (s || mare)",
                 follicles ~ s + c + (1 | mare) + (0 + s | mare), tmb = follicles ~ s + c + diag(s | mare),
                 assign = "s = sin(2 * 3.141592653589793 * time); c = cos(2 * 3.141592653589793 * time)")
gaussian_problem("glucose", "glucose", glucose, "glucose ~ date + poly(time, 3) + (1 | subject:date)",
                 glucose ~ date + p1 + p2 + p3 + (1 | occasion))
gaussian_problem("highschool", "highschool", highschool, "math ~ meanses * cses + sector * cses + (1 + cses | school)",
                 math ~ meanses * cses + sector * cses + (1 + cses | school))
gaussian_problem("egsingle", "egsingle", egsingle, "math ~ year + (year | childid) + (year | schoolid)",
                 math ~ year + (year | childid) + (year | schoolid))

# ---- the others ------------------------------------------------------------------------------------------------------

logit <- binomial("logit")
laplace_problem("toenail", "toenail", toenail, "outcome ~ treatment * time + (1 | patient_id)",
                outcome ~ treatment * time + (1 | patient_id), logit)
laplace_problem("toenail_month", "toenail", toenail, "outcome ~ treatment * month + (1 | patient_id)",
                outcome ~ treatment * month + (1 | patient_id), logit)
laplace_problem("wheeze", "wheeze", wheeze, "resp ~ age * smoke + (1 | id)", resp ~ age * smoke + (1 | id), logit)
laplace_problem("respiratory", "respiratory", respiratory,
                "outcome ~ center + active + sex + age + baseline + (1 | center:id)",
                outcome ~ center + active + sex + age + baseline + (1 | center:id), logit,
                assign = "active = (treat == 'A') * 1")
for (link in c("logit", "probit", "cloglog"))
  laplace_problem(if (link == "logit") "bacteria" else paste0("bacteria_", link), "bacteria", bacteria,
                  "y ~ trt + late + (1 | id)", y ~ trt + late + (1 | id), binomial(link), assign = "late = (week > 2) * 1")
for (link in c("logit", "probit", "cloglog"))
  laplace_problem(if (link == "logit") "seeds" else paste0("seeds_", link), "seeds", seeds,
                  "y | trials(n) ~ seed + extract + (1 | plate)", cbind(y, n - y) ~ seed + extract + (1 | plate),
                  binomial(link))
laplace_problem("seeds_interaction", "seeds", seeds, "y | trials(n) ~ seed * extract + (1 | plate)",
                cbind(y, n - y) ~ seed * extract + (1 | plate), logit)
glm_problem("epilepsy_1", "epilepsy", epilepsy, "y ~ log(base / 4) * trt + log(age) + v4", y ~ lb * trt + la + v4,
            poisson())
laplace_problem("epilepsy", "epilepsy", epilepsy,
                "y ~ center(log(base / 4)) * trt + center(log(age)) + v4 + (1 | subject)",
                y ~ clb * trt + cla + v4 + (1 | subject), poisson())
laplace_problem("epilepsy_2", "epilepsy", epilepsy, "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject)",
                y ~ lb * trt + la + v4 + (1 | subject), poisson(), note = "model II of Breslow & Clayton (1993); glmmTMB")
laplace_problem("epilepsy_3", "epilepsy", epilepsy,
                "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject) + (1 | subject:period)",
                y ~ lb * trt + la + v4 + (1 | subject) + (1 | subject:period), poisson(),
                note = "model III of Breslow & Clayton (1993); glmmTMB")
laplace_problem("epilepsy_4", "epilepsy", epilepsy, "y ~ log(base / 4) * trt + log(age) + visit + (visit | subject)",
                y ~ lb * trt + la + visit + (visit | subject), poisson(), assign = "visit = (period - 2.5) / 5",
                note = "model IV of Breslow & Clayton (1993); glmmTMB")
glm_problem("multicenter_fixed", "multicenter", multicenter, "favorable | trials(n) ~ treatment + clinic",
            cbind(favorable, n - favorable) ~ treatment + clinic, logit)
laplace_problem("multicenter_slope", "multicenter", multicenter, "favorable | trials(n) ~ treatment + (t || clinic)",
                cbind(favorable, n - favorable) ~ treatment + diag(t | clinic), logit,
                lme4 = cbind(favorable, n - favorable) ~ treatment + (1 | clinic) + (0 + t | clinic),
                assign = "t = (treatment == 'drug') - 0.5")
laplace_problem("grouseticks_centred", "grouseticks", grouseticks,
                "ticks ~ year + center(height) + (1 | brood) + (1 | index) + (1 | location)",
                ticks ~ year + height_centred + (1 | brood) + (1 | index) + (1 | location), poisson())
laplace_problem("baseball", "baseball", baseball, "r | trials(at_bats) ~ 1 + (1 | name)",
                cbind(r, 45 - r) ~ 1 + (1 | name), logit, assign = "at_bats = 45")

# ---- residual correlation: for later -------------------------------------------------------------------------------

# Recorded from nlme, with the status "later": the package has no residual structures yet.
later <- function(name, dataset, assign, text, residual, fit, group, phi) {
  estimate <- setNames(nlme::fixef(fit), package_name(names(nlme::fixef(fit)), get(dataset)))
  sds <- as.numeric(nlme::VarCorr(fit)[, "StdDev"])
  labels <- rownames(nlme::VarCorr(fit))[-length(sds)]
  labels <- if (length(labels) == 1) sprintf("sd(%s)", group) else sprintf("sd(%s, %s)", group, package_name(labels, get(dataset)))
  values <- c(estimate, setNames(sds, c(labels, "sigma")), setNames(phi, residual))
  errors <- c(sqrt(diag(vcov(fit))), rep(NA, length(sds) + 1))
  record(name, dataset, assign, text, gaussian(), "reml", sprintf('{"residual": "%s"}', residual), values, errors,
         as.numeric(logLik(fit)), "nlme", status = "later")
}
tight_lme <- nlme::lmeControl(maxIter = 500, msMaxIter = 500, tolerance = 1e-10, msTol = 1e-12, niterEM = 50)
fit <- nlme::lme(follicles ~ s + c, ovary, random = list(mare = nlme::pdDiag(~s)), correlation = nlme::corAR1(),
                 control = tight_lme)
later("ovary_ar1", "ovary", "s = sin(2 * 3.141592653589793 * time); c = cos(2 * 3.141592653589793 * time)",
      "follicles ~ s + c + (s || mare)", "ar1(day | mare)", fit, "mare",
      coef(fit$modelStruct$corStruct, unconstrained = FALSE)[[1]])
fit <- nlme::lme(glucose ~ date + p1 + p2 + p3, glucose, random = ~1 | occasion,
                 correlation = nlme::corCAR1(form = ~time | occasion), control = tight_lme)
later("glucose_car1", "glucose", "", "glucose ~ date + poly(time, 3) + (1 | subject:date)", "car1(time | subject:date)",
      fit, "subject:date", coef(fit$modelStruct$corStruct, unconstrained = FALSE)[[1]])

# ---- the large one ---------------------------------------------------------------------------------------------------

if (!"small" %in% arguments) {
  gaussian_problem("insteval", "insteval", insteval, "y ~ service + (1 | s) + (1 | d)", y ~ service + (1 | s) + (1 | d),
                   tmb = NULL, thorough = FALSE, note = "lme4 alone")
  gaussian_problem("insteval_departments", "insteval", insteval, "y ~ service + (1 | s) + (1 | d) + (1 | dept:service)",
                   y ~ service + (1 | s) + (1 | d) + (1 | dept:service), tmb = NULL, thorough = FALSE, note = "lme4 alone")
  laplace_problem("insteval_good", "insteval", insteval, "good ~ service + (1 | s) + (1 | d)",
                  good ~ service + (1 | s) + (1 | d), logit, assign = "good = (y >= 4) * 1", check = FALSE)
}

write.csv(table, file.path(output_folder, "frequentist.csv"), row.names = FALSE, quote = c(1:9, 13, 14))
cat("\n")
cat(R.version.string, " (", R.version$platform, ")\n", sep = "")
for (package in c("lme4", "glmmTMB", "TMB", "Matrix", "nlme", "numDeriv", "minqa", "nloptr"))
  cat(package, as.character(packageVersion(package)), "\n")
