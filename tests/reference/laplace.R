# Reference fits by maximum likelihood with the Laplace approximation (exact for Gaussian identity models), one thread.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/laplace.R bayesglmm/datasets tests/reference \
#     > tests/reference/laplace.out 2>&1
# Reads the package's own CSV files (first argument); writes laplace.csv into the second. Needs lme4, glmmTMB, numDeriv.
#
# Why two programs, and why they are not left to their defaults:
#  - glmmTMB has the exact gradient of the Laplace-marginal likelihood, so its optimum can be finished by Newton's method
#    (gradient below 1e-7). The inner optimisation is tightened first: its default stops where the modes still move the
#    sixth digit. Standard errors come from the Hessian of that marginal likelihood in all its parameters.
#  - lme4 has no gradient and stops early by default; it runs here with bobyqa (rhoend 1e-9, tolPwrss 1e-12), started
#    again twice from where it stopped, and serves as an independent check of the log-likelihood and the estimates.
#  - on a link that is not canonical they are two different approximations: glmmTMB expands with the observed Hessian
#    (method "laplace"), lme4 with the expected one, the weights of Fisher scoring (method "laplace_expected").

suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(numDeriv)
})
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

# ---- data: the same levels and baselines as bayesglmm/datasets/catalogue.toml ----------------------------------------

read_data <- function(name) read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)
as_factors <- function(d, ...) {
  for (column in c(...)) d[[column]] <- factor(d[[column]])
  d
}

salamander <- as_factors(read_data("salamander.csv"), "cross", "female", "male", "female_linked", "male_linked")
salamander$season <- factor(salamander$season, levels = c("summer", "fall"))
multicenter <- as_factors(read_data("multicenter.csv"), "clinic", "treatment")
cbpp <- as_factors(read_data("cbpp.csv"), "herd", "period")
sleepstudy <- as_factors(read_data("sleepstudy.csv"), "subject")
grouseticks <- as_factors(read_data("grouseticks.csv"), "index", "brood", "year", "location")
# scale() of formulae divides by the standard deviation with divisor n, R's scale() by the one with n - 1.
centred <- grouseticks$height - mean(grouseticks$height)
grouseticks$height_scaled <- centred / sqrt(mean(centred^2))
verbagg <- as_factors(read_data("verbagg.csv.gz"), "gender", "item", "id", "btype", "situ")
verbagg$r2 <- as.integer(verbagg$r2 == "Y")

# ---- names of the package --------------------------------------------------------------------------------------------

renamed <- c("(Intercept)" = "Intercept", height_scaled = "scale(height)", "period:herd" = "herd:period",
             "brood:location" = "location:brood")

package_name <- function(words, d) {
  one <- function(word) {
    if (word %in% names(renamed)) return(renamed[[word]])
    for (column in names(d)[vapply(d, is.factor, TRUE)])
      for (level in levels(d[[column]]))
        if (word == paste0(column, level)) return(sprintf("%s[%s]", column, level))
    word
  }
  whole <- function(word) {
    if (word %in% names(renamed)) return(renamed[[word]])
    paste(vapply(strsplit(word, ":", fixed = TRUE)[[1]], one, ""), collapse = ":")
  }
  unname(vapply(words, whole, ""))
}

# ---- glmmTMB: tightened, finished by Newton --------------------------------------------------------------------------

tighten <- function(fit) {
  fit$obj$env$inner.control <- list(maxit = 1000, tol = 1e-13, tol10 = 1e-14, grad.tol = 1e-13, step.tol = 1e-13,
                                    trace = FALSE)
  fit$obj$env$silent <- TRUE
  invisible(fit)
}

newton <- function(fit, steps = 20) {
  objective <- fit$obj
  par <- fit$fit$par
  value <- objective$fn(par)
  for (k in seq_len(steps)) {
    gradient <- as.numeric(objective$gr(par))
    if (max(abs(gradient)) < 1e-9) break
    hessian <- optimHess(par, objective$fn, objective$gr)
    proposal <- par - solve(hessian, gradient)
    proposed <- objective$fn(proposal)
    if (!is.finite(proposed) || proposed > value + 1e-9) break
    par <- proposal
    value <- proposed
  }
  gradient <- as.numeric(objective$gr(par))
  hessian <- jacobian(function(p) as.numeric(objective$gr(p)), par)
  objective$fn(par)
  list(par = par, loglik = -value, gradient = max(abs(gradient)), covariance = solve((hessian + t(hessian)) / 2))
}

# All reported quantities as one function of the optimiser's parameters, so that standard errors follow by the delta rule.
quantities <- function(fit, d) {
  terms <- fit$modelInfo$reTrms$cond
  structures <- fit$modelInfo$reStruc$condReStruc
  codes <- vapply(structures, function(s) names(s$blockCode), "")
  groups <- package_name(sub("^.*\\| *", "", names(structures)), d)
  fixed <- package_name(colnames(fit$obj$env$data$X), d)
  objective <- fit$obj
  modes_and_par <- function(par) {
    full <- objective$env$last.par
    full[-objective$env$random] <- par
    full
  }
  function(par) {
    reported <- objective$env$report(modes_and_par(par))
    out <- setNames(par[names(par) == "beta"], fixed)
    for (k in seq_along(structures)) {
      effects <- package_name(terms$cnms[[k]], d)
      single <- identical(effects, "Intercept")
      sds <- if (codes[k] == "rr") abs(as.numeric(reported$fact_load[[k]])) else as.numeric(reported$sd[[k]])
      labels <- if (single) sprintf("sd(%s)", groups[k]) else sprintf("sd(%s, %s)", groups[k], effects)
      out <- c(out, setNames(sds, labels))
      if (length(effects) == 2 && codes[k] == "us")
        out <- c(out, setNames(reported$corr[[k]][1, 2], sprintf("cor(%s, %s, %s)", groups[k], effects[1], effects[2])))
      if (codes[k] == "rr")
        out <- c(out, setNames(prod(sign(reported$fact_load[[k]])),
                               sprintf("cor(%s, %s, %s)", groups[k], effects[1], effects[2])))
    }
    # glmmTMB 1.1.5 parameterises the Gaussian dispersion as the logarithm of the variance.
    if (fit$modelInfo$family$family == "gaussian") out <- c(out, sigma = exp(par[names(par) == "betad"] / 2)[[1]])
    out
  }
}

fit_tmb <- function(formula, d, family, start = NULL) {
  # Its own verdict on convergence is skipped: the gradient after the Newton steps is printed instead.
  control <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4), conv_check = "skip")
  fit <- tighten(glmmTMB(formula, d, family = family, start = start, control = control))
  optimum <- newton(fit)
  par <- setNames(optimum$par, names(fit$fit$par))
  values <- quantities(fit, d)
  estimate <- values(par)
  slope <- jacobian(function(p) unname(values(setNames(p, names(par)))), par)
  variance <- diag(slope %*% optimum$covariance %*% t(slope))
  fit$obj$fn(par)
  full <- fit$obj$env$last.par
  eta <- range(as.numeric(fit$obj$env$data$X %*% par[names(par) == "beta"] +
                            fit$obj$env$data$Z %*% full[names(full) == "b"]))
  list(estimate = estimate, std_error = ifelse(variance > 0, sqrt(variance), NA), loglik = optimum$loglik,
       gradient = optimum$gradient, eta = eta)
}

# ---- lme4: the independent check -------------------------------------------------------------------------------------

tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(maxfun = 2e5, rhoend = 1e-9),
                      check.conv.singular = "ignore", check.conv.grad = "ignore", check.conv.hess = "ignore")
tight_lmer <- lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 2e5, rhoend = 1e-9))

fit_lme4 <- function(formula, d, family, nodes = 1, restarts = 2) {
  if (family$family == "gaussian" && family$link == "identity") {
    fit <- lmer(formula, d, REML = FALSE, control = tight_lmer)
    for (k in seq_len(restarts))
      fit <- better(fit, lmer(formula, d, REML = FALSE, control = tight_lmer, start = getME(fit, "theta") * 1.1))
    return(fit)
  }
  fit <- glmer(formula, d, family = family, nAGQ = nodes, control = tight)
  for (k in seq_len(restarts)) {
    start <- list(theta = getME(fit, "theta") * 1.05 + 0.001, fixef = fixef(fit))
    fit <- better(fit, glmer(formula, d, family = family, nAGQ = nodes, control = tight, start = start))
  }
  fit
}
better <- function(a, b) if (as.numeric(logLik(b)) > as.numeric(logLik(a))) b else a

lme4_quantities <- function(fit, d) {
  out <- setNames(fixef(fit), package_name(names(fixef(fit)), d))
  errors <- sqrt(diag(as.matrix(vcov(fit))))
  blocks <- names(VarCorr(fit))
  factors <- sub("\\.[0-9]+$", "", blocks)
  for (g in blocks) {
    block <- VarCorr(fit)[[g]]
    group <- package_name(factors[blocks == g], d)
    effects <- package_name(rownames(block), d)
    alone <- identical(effects, "Intercept") && sum(factors == factors[blocks == g]) == 1
    labels <- if (alone) sprintf("sd(%s)", group) else sprintf("sd(%s, %s)", group, effects)
    out <- c(out, setNames(attr(block, "stddev"), labels))
    if (length(effects) == 2)
      out <- c(out, setNames(attr(block, "correlation")[1, 2],
                             sprintf("cor(%s, %s, %s)", group, effects[1], effects[2])))
    errors <- c(errors, rep(NA, length(effects) + (length(effects) == 2)))
  }
  if (family(fit)$family == "gaussian") {
    out <- c(out, sigma = sigma(fit))
    errors <- c(errors, NA)
  }
  list(estimate = out, std_error = unname(errors))
}

# The constant that lme4 leaves out of an AGQ log-likelihood: that of the saturated model.
saturated <- function(fit) {
  y <- model.response(model.frame(fit))
  sum(dbinom(y[, 1], rowSums(y), y[, 1] / rowSums(y), log = TRUE))
}

# ---- the problems ----------------------------------------------------------------------------------------------------

table <- data.frame()
record <- function(problem, dataset, rows, text, family, method, estimate, std_error, loglik, note) {
  family_name <- if (family$family == "binomial" && !grepl("trials(", text, fixed = TRUE)) "bernoulli" else family$family
  table <<- rbind(table, data.frame(
    problem = problem, dataset = dataset, rows = rows, formula = text, family = family_name, link = family$link,
    method = method, parameter = names(estimate), estimate = sprintf("%.12g", estimate),
    std_error = ifelse(is.na(std_error), "", sprintf("%.12g", std_error)), loglik = sprintf("%.14g", loglik),
    note = note, row.names = NULL
  ))
  shown <- data.frame(estimate = estimate, std_error = as.numeric(std_error), row.names = names(estimate))
  cat(sprintf("\n== %s, %s\n%s, %s(%s)%s\nlog-likelihood %.10f%s\n", problem, method, text, family_name, family$link,
              if (nzchar(rows)) paste0(", rows ", rows) else "", loglik, if (nzchar(note)) paste0("; ", note) else ""))
  print(shown)
}

# text: the formula of the package; tmb, lme4: the same for R (lme4 = NULL: no such model there).
problem <- function(name, dataset, d, text, tmb, family, lme4 = tmb, rows = "", note = "", start = NULL, agq = FALSE) {
  fit <- fit_tmb(tmb, d, family, start)
  record(name, dataset, rows, text, family, "laplace", fit$estimate, fit$std_error, fit$loglik, note)
  cat(sprintf("largest gradient %.2e; eta from %.3f to %.3f\n", fit$gradient, fit$eta[1], fit$eta[2]))
  if (is.null(lme4)) return(invisible())
  other <- fit_lme4(lme4, d, family)
  theirs <- lme4_quantities(other, d)
  canonical <- paste(family$family, family$link) %in% c("binomial logit", "poisson log", "gaussian identity")
  if (canonical) {
    gaps <- theirs$estimate[names(fit$estimate)] - fit$estimate
    cat(sprintf("lme4: log-likelihood %.10f (%+.2e); largest difference of an estimate %.2e\n", logLik(other),
                as.numeric(logLik(other)) - fit$loglik, max(abs(gaps))))
  } else {
    record(name, dataset, rows, text, family, "laplace_expected", theirs$estimate, theirs$std_error,
           as.numeric(logLik(other)), "lme4: expected information in the Laplace expansion")
  }
  if (agq) {
    exact <- fit_lme4(lme4, d, family, nodes = 25)
    theirs <- lme4_quantities(exact, d)
    record(name, dataset, rows, text, family, "agq25", theirs$estimate, theirs$std_error,
           as.numeric(logLik(exact)) + saturated(exact), "lme4, 25 nodes; full scale (saturated part added)")
  }
}

logit <- binomial("logit")
crossed <- "mated ~ 0 + cross + (1 | female) + (1 | male)"
for (link in c("logit", "probit", "cloglog"))
  problem(if (link == "logit") "salamander" else paste0("salamander_", link), "salamander", salamander, crossed,
          mated ~ 0 + cross + (1 | female) + (1 | male), binomial(link))

experiments <- c("salamander_summer", "salamander_fall_rerun", "salamander_fall_new")
for (e in 1:3) {
  problem(experiments[e], "salamander", droplevels(salamander[salamander$experiment == e, ]),
          "mated ~ wsf * wsm + (1 | female) + (1 | male)", mated ~ wsf * wsm + (1 | female) + (1 | male), logit,
          rows = sprintf("experiment == %d", e))
}

# Model B: the correlation of a male's two effects goes to 1. There the full parameterisation of glmmTMB has no interior
# optimum, so the effect of rank one, which has, is fitted; lme4, which can reach the boundary, checks that it is the best.
problem("salamander_linked", "salamander", salamander,
        "mated ~ fall + wsf * wsm + (0 + season | female_linked) + (0 + season | male_linked)",
        mated ~ fall + wsf * wsm + (0 + season | female_linked) + rr(0 + season | male_linked, d = 1), logit,
        lme4 = mated ~ fall + wsf * wsm + (0 + season | female_linked) + (0 + season | male_linked),
        note = "on the boundary: cor(male_linked) = 1; standard errors with that correlation held at 1")

problem("multicenter", "multicenter", multicenter, "favorable | trials(n) ~ treatment + (1 | clinic)",
        cbind(favorable, n - favorable) ~ treatment + (1 | clinic), logit, agq = TRUE)

for (link in c("logit", "probit", "cloglog"))
  problem(if (link == "logit") "cbpp" else paste0("cbpp_", link), "cbpp", cbpp,
          "incidence | trials(size) ~ period + (1 | herd)", cbind(incidence, size - incidence) ~ period + (1 | herd),
          binomial(link), agq = link == "logit")
problem("cbpp_nested", "cbpp", cbpp, "incidence | trials(size) ~ period + (1 | herd/period)",
        cbind(incidence, size - incidence) ~ period + (1 | herd/period), logit)

problem("sleepstudy", "sleepstudy", sleepstudy, "reaction ~ days + (days | subject)",
        reaction ~ days + (days | subject), gaussian())
reml <- lmer(reaction ~ days + (days | subject), sleepstudy, control = tight_lmer)
theirs <- lme4_quantities(reml, sleepstudy)
record("sleepstudy", "sleepstudy", "", "reaction ~ days + (days | subject)", gaussian(), "reml", theirs$estimate,
       theirs$std_error, as.numeric(logLik(reml)), "lme4")
problem("sleepstudy_independent", "sleepstudy", sleepstudy, "reaction ~ days + (days || subject)",
        reaction ~ days + diag(days | subject), gaussian(), lme4 = reaction ~ days + (days || subject))
problem("sleepstudy_log", "sleepstudy", sleepstudy, "reaction ~ days + (1 | subject)", reaction ~ days + (1 | subject),
        gaussian("log"), lme4 = NULL, start = list(beta = c(5.5, 0.03)),
        note = "observed Hessian; glmmTMB alone")

problem("grouseticks", "grouseticks", grouseticks,
        "ticks ~ year + scale(height) + (1 | brood) + (1 | index) + (1 | location)",
        ticks ~ year + height_scaled + (1 | brood) + (1 | index) + (1 | location), poisson(),
        note = "scale() with divisor n")
problem("grouseticks_nested", "grouseticks", grouseticks, "ticks ~ year + (1 | location/brood)",
        ticks ~ year + (1 | location/brood), poisson())
# The square root does not know the sign of eta; the start puts it where the fitted counts grow with eta.
problem("multicenter_sqrt", "multicenter", multicenter, "favorable ~ treatment + (1 | clinic)",
        favorable ~ treatment + (1 | clinic), poisson("sqrt"), lme4 = NULL, start = list(beta = c(2, 0.2)),
        note = "observed Hessian; glmmTMB alone; the modes with eta > 0 in every row")

problem("verbagg", "verbagg", verbagg, "r2 ~ anger + gender + btype + situ + (1 | id) + (1 | item)",
        r2 ~ anger + gender + btype + situ + (1 | id) + (1 | item), logit)

write.csv(table, file.path(output_folder, "laplace.csv"), row.names = FALSE, quote = c(1:8, 12))
cat("\n")
cat(R.version.string, " (", R.version$platform, ")\n", sep = "")
for (package in c("lme4", "glmmTMB", "TMB", "Matrix", "numDeriv", "minqa"))
  cat(package, as.character(packageVersion(package)), "\n")
