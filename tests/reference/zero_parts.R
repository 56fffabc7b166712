# Reference fits of counts with a part of their own for zeros and of models with a formula for the dispersion: maximum
# likelihood with the Laplace approximation by glmmTMB, one thread. And of ordered categories by ordinal::clmm.
#
# From the project's root:
#   OMP_NUM_THREADS=1 Rscript tests/reference/zero_parts.R tests/reference > tests/reference/zero_parts.out 2>&1
# Reads zero_parts_data.csv (made by zero_parts.py) from the folder given and writes zero_parts.csv into it. Needs glmmTMB
# and ordinal (for its data set wine, too).
#
# Names and scales are those of the package: standard deviations, not variances; log_sigma (glmmTMB's dispersion of a
# gaussian is the log variance: halved here); phi itself; the logit of the zero part's probability as zero[...].

folder <- commandArgs(trailingOnly = TRUE)[1]
suppressPackageStartupMessages({
  library(glmmTMB)
  library(ordinal)
})
options(digits = 12, width = 150, warn = 1)
data <- read.csv(file.path(folder, "zero_parts_data.csv"))
data$g <- factor(data$g)
rows <- list()

named <- function(names) {
  names <- sub("^\\(Intercept\\)$", "Intercept", names)
  sub("^(sex)([FM])$", "\\1[\\2]", names)
}

record <- function(problem, formula, family, link, zero, dispersion, parameter, estimate, std_error, loglik) {
  rows[[length(rows) + 1]] <<- data.frame(problem, formula, family, link, zero, dispersion, parameter, estimate, std_error, loglik)
}

fit <- function(problem, formula, ours, family, ziformula = ~0, dispformula = ~1, zero = "", dispersion = "") {
  tight <- glmmTMBControl(optCtrl = list(rel.tol = 1e-14, x.tol = 1e-12, iter.max = 2000, eval.max = 4000))
  m <- glmmTMB(formula, data, family = family, ziformula = ziformula, dispformula = dispformula, control = tight)
  cat("\n====", problem, "\n")
  print(summary(m))
  cat("largest gradient:", max(abs(m$obj$gr(m$fit$par))), "\n")
  V <- vcov(m, full = TRUE)
  se <- sqrt(diag(V))
  estimates <- fixef(m)
  written <- deparse(formula)
  add <- function(name, value, error) {
    record(problem, written, ours, "", zero, dispersion, name, value, error, as.numeric(logLik(m)))
  }
  at <- 0
  for (k in seq_along(estimates$cond)) add(named(names(estimates$cond)[k]), estimates$cond[[k]], se[at + k])
  at <- at + length(estimates$cond)
  for (k in seq_along(estimates$zi)) add(paste0("zero[", named(names(estimates$zi)[k]), "]"), estimates$zi[[k]], se[at + k])
  at <- at + length(estimates$zi)
  if (dispersion != "") {
    half <- if (ours == "gaussian") 0.5 else 1
    what <- if (ours == "gaussian") "log_sigma" else "log_phi"
    for (k in seq_along(estimates$disp))
      add(paste0(what, "[", named(names(estimates$disp)[k]), "]"), half * estimates$disp[[k]], half * se[at + k])
    at <- at + length(estimates$disp)
  } else if (grepl("negative", ours)) {
    add("phi", sigma(m), sigma(m) * se[at + 1])
    at <- at + 1
  }
  sd <- attr(VarCorr(m)$cond$g, "stddev")[[1]]
  add("sd(g)", sd, sd * se[length(se)])
}

fit("zip", zip ~ x + (1 | g), "zero_inflated_poisson", poisson, ~1)
fit("zip, formula", zip ~ x + (1 | g), "zero_inflated_poisson", poisson, ~x, zero = "~ x")
fit("zinb", zinb ~ x + (1 | g), "zero_inflated_negative_binomial", nbinom2, ~x, zero = "~ x")
fit("zinb, dispersion", zinb ~ x + (1 | g), "zero_inflated_negative_binomial", nbinom2, ~1, ~sex, dispersion = "~ sex")
fit("hurdle", hurdle ~ x + (1 | g), "hurdle_poisson", truncated_poisson, ~ x + sex, zero = "~ x + sex")
fit("gaussian", normal ~ x + (1 | g), "gaussian", gaussian, dispformula = ~ 0 + sex, dispersion = "~ 0 + sex")
fit("gaussian, slope", normal ~ x + (1 | g), "gaussian", gaussian, dispformula = ~ x + sex, dispersion = "~ x + sex")
fit("nb2", overdispersed ~ x + (1 | g), "negative_binomial", nbinom2, dispformula = ~ 0 + sex, dispersion = "~ 0 + sex")

# clmm 2022.11-16 has loglog and cloglog the other way round than clm, MASS::polr and brms, as the fits without judges show:
# what it calls loglog is F(x) = 1 - exp(-exp(x)), the package's cloglog. Its modes are found to gradTol = 1e-4 by default,
# and the log-likelihood is then 3.5e-6 too high here; with 1e-8 it agrees, but its Hessian by differences does not any
# more: standard errors are those of the default.
for (link in c("logit", "probit", "cloglog")) {
  called <- if (link == "cloglog") "loglog" else link
  loose <- clmm(rating ~ temp + contact + (1 | judge), data = wine, link = called)
  m <- suppressWarnings(clmm(rating ~ temp + contact + (1 | judge), data = wine, link = called,
                             control = clmm.control(gradTol = 1e-8)))
  cat("\n==== wine,", link, "\n")
  cat("without judges, clm:", logLik(clm(rating ~ temp + contact, data = wine, link = link)), "polr:",
      if (link == "logit") "" else logLik(MASS::polr(rating ~ temp + contact, data = wine, method = link)), "\n")
  print(summary(loose))
  cat("log-likelihood with gradTol = 1e-8:", logLik(m), "\n")
  errors <- coef(summary(loose))[, 2]
  parameter <- c(paste0("cutpoint[", names(m$alpha), "]"), "temp[warm]", "contact[yes]")
  for (k in seq_along(parameter))
    record(paste("wine,", link), "rating ~ temp + contact + (1 | judge)", "cumulative", link, "", "", parameter[k], coef(m)[[k]],
           errors[[k]], as.numeric(logLik(m)))
  record(paste("wine,", link), "rating ~ temp + contact + (1 | judge)", "cumulative", link, "", "", "sd(judge)", m$ST[[1]][1],
         NA, as.numeric(logLik(m)))
}

write.csv(do.call(rbind, rows), file.path(folder, "zero_parts.csv"), row.names = FALSE, na = "")
cat("\nglmmTMB", as.character(packageVersion("glmmTMB")), ", ordinal", as.character(packageVersion("ordinal")), ",",
    R.version.string, "\n")
