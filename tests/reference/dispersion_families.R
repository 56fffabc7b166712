# Reference fits of families with a dispersion parameter: negative binomial, gamma, beta, beta-binomial, by maximum
# likelihood with the Laplace approximation, one thread.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/dispersion_families.R bayesglmm/datasets \
#     tests/reference > tests/reference/dispersion_families.out 2>&1
# Reads the package's own CSV files (first argument) and the functions of laplace.R in the second, into which it writes
# dispersion_families.csv, dispersion_pql.csv and dispersion_data.csv (simulated here, base R's default generators, seed
# below). Needs lme4, glmmTMB, numDeriv, MASS, nlme.
#
# Conventions of phi, checked below against what glmmTMB's sigma() says of each fit:
#   nbinom2      Var = mu + mu^2 / phi          sigma() = phi           package: phi
#   Gamma        Var = sigma()^2 mu^2           sigma() = 1/sqrt(shape) package: phi = sigma()^2
#   beta_family  Var = mu (1 - mu) / (1 + phi)  sigma() = phi           package: phi
#   betabinomial a = mu phi, b = (1 - mu) phi   sigma() = phi           package: phi

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"
suppressPackageStartupMessages({
  library(lme4)
  library(glmmTMB)
  library(numDeriv)
})
options(digits = 12, width = 150, warn = 1)

# The functions of laplace.R, without its problems.
for (piece in as.list(parse(file.path(output_folder, "laplace.R"), keep.source = FALSE))) {
  assigned <- is.call(piece) && identical(piece[[1]], as.name("<-")) && is.name(piece[[2]])
  if (assigned && as.character(piece[[2]]) %in% c("tighten", "newton", "quantities", "package_name", "renamed",
                                                  "read_data", "as_factors"))
    eval(piece)
}
renamed <- c(renamed, lbase = "log(base / 4)", lage = "log(age)")

# ---- data ------------------------------------------------------------------------------------------------------------

epilepsy <- as_factors(read_data("epilepsy.csv"), "subject")
epilepsy$trt <- factor(epilepsy$trt, levels = c("placebo", setdiff(unique(epilepsy$trt), "placebo")))
epilepsy$lbase <- log(epilepsy$base / 4)
epilepsy$lage <- log(epilepsy$age)
grouseticks <- as_factors(read_data("grouseticks.csv"), "index", "brood", "year", "location")
centred <- grouseticks$height - mean(grouseticks$height)
grouseticks$height_scaled <- centred / sqrt(mean(centred^2))
seeds <- read_data("seeds.csv")
seeds$seed <- relevel(factor(seeds$seed), "O75")
seeds$extract <- relevel(factor(seeds$extract), "bean")

set.seed(20240607)
simulated <- expand.grid(visit = 0:5, id = 1:40)
simulated$x <- round(rnorm(240), 3)
eta <- 0.4 + 0.6 * simulated$x - 0.1 * simulated$visit + rnorm(40, 0, 0.7)[simulated$id]
simulated$waiting <- signif(rgamma(240, shape = 2.5, scale = exp(eta) / 2.5), 8)
simulated$trials <- rep(c(5L, 12L, 20L), 80)
simulated$successes <- rbinom(240, simulated$trials, rbeta(240, plogis(eta) * 4, plogis(-eta) * 4))
sloped <- eta + rnorm(40, 0, 0.5)[simulated$id] * simulated$x
simulated$share <- pmin(pmax(round(rbeta(240, plogis(sloped) * 6, plogis(-sloped) * 6), 8), 1e-6), 1 - 1e-6)
write.csv(simulated, file.path(output_folder, "dispersion_data.csv"), row.names = FALSE)
simulated <- read.csv(file.path(output_folder, "dispersion_data.csv"))
simulated$id <- factor(simulated$id)

# ---- fits ------------------------------------------------------------------------------------------------------------

table <- data.frame()
problem <- function(name, dataset, d, text, tmb, family, ours, phi_of, start = NULL) {
  control <- glmmTMBControl(optCtrl = list(iter.max = 1e4, eval.max = 1e4), conv_check = "skip")
  fit <- tighten(glmmTMB(tmb, d, family = family, start = start, control = control))
  # What exp(betad) is, said by the program itself: sigma() at the fit it stopped at.
  shown <- sigma(fit)
  optimum <- newton(fit)
  par <- setNames(optimum$par, names(fit$fit$par))
  without_effects <- is.null(fit$obj$env$random)
  fixed <- package_name(colnames(fit$obj$env$data$X), d)
  of_mean <- if (without_effects) function(p) setNames(p[names(p) == "beta"], fixed) else quantities(fit, d)
  values <- function(p) c(of_mean(p), phi = phi_of(exp(p[names(p) == "betad"][[1]])))
  estimate <- values(par)
  slope <- jacobian(function(p) unname(values(setNames(p, names(par)))), par)
  std_error <- sqrt(diag(slope %*% optimum$covariance %*% t(slope)))
  cat(sprintf("\n== %s\n%s, %s(%s)\nlog-likelihood %.10f; largest gradient %.2e\n", name, text, ours, family$link,
              optimum$loglik, optimum$gradient))
  print(data.frame(estimate = estimate, std_error = std_error))
  cat(sprintf("sigma() before the Newton steps %.8f; phi after them %.8f\n", shown, estimate[["phi"]]))
  stopifnot(optimum$gradient < 1e-6)
  table <<- rbind(table, data.frame(
    problem = name, dataset = dataset, formula = text, family = ours, link = family$link, parameter = names(estimate),
    estimate = sprintf("%.12g", estimate), std_error = sprintf("%.12g", std_error),
    loglik = sprintf("%.14g", optimum$loglik), row.names = NULL
  ))
  invisible(fit)
}
as_it_is <- function(phi) phi
reciprocal <- function(shape) 1 / shape

problem("epilepsy", "epilepsy", epilepsy, "y ~ log(base / 4) * trt + log(age) + v4 + (1 | subject)",
        y ~ lbase * trt + lage + v4 + (1 | subject), nbinom2(), "negative_binomial", as_it_is)
problem("grouseticks", "grouseticks", grouseticks, "ticks ~ year + scale(height) + (1 | brood) + (1 | location)",
        ticks ~ year + height_scaled + (1 | brood) + (1 | location), nbinom2(), "negative_binomial", as_it_is)
problem("gamma", "dispersion_data", simulated, "waiting ~ x + visit + (1 | id)", waiting ~ x + visit + (1 | id),
        Gamma("log"), "gamma", reciprocal)
problem("gamma_inverse", "dispersion_data", simulated, "waiting ~ visit + (1 | id)", waiting ~ visit + (1 | id),
        Gamma("inverse"), "gamma", reciprocal, start = list(beta = c(0.8, 0.05), theta = -2))
problem("beta", "dispersion_data", simulated, "share ~ x + visit + (1 | id)", share ~ x + visit + (1 | id),
        beta_family(), "beta", as_it_is)
problem("beta_slopes", "dispersion_data", simulated, "share ~ x + visit + (x || id)",
        share ~ x + visit + diag(x | id), beta_family(), "beta", as_it_is)
problem("beta_probit", "dispersion_data", simulated, "share ~ x + visit + (1 | id)", share ~ x + visit + (1 | id),
        beta_family("probit"), "beta", as_it_is)
problem("beta_binomial", "dispersion_data", simulated, "successes | trials(trials) ~ x + visit + (1 | id)",
        cbind(successes, trials - successes) ~ x + visit + (1 | id), betabinomial(), "beta_binomial", as_it_is)
# A plate is a row of seeds: its effects and the beta-binomial's are two words for one thing. Rows alone, without effects.
problem("seeds", "seeds", seeds, "y | trials(n) ~ seed * extract", cbind(y, n - y) ~ seed * extract, betabinomial(),
        "beta_binomial", as_it_is)

# lme4 by its own program: glmer.nb, which maximises over phi outside of the Laplace approximation (of the same kind: the
# expected information in place of the observed one, so that figures agree to a few digits only).
cat("\n== epilepsy by lme4::glmer.nb\n")
other <- glmer.nb(y ~ lbase * trt + lage + v4 + (1 | subject), epilepsy)
print(fixef(other)); print(VarCorr(other)); print(getME(other, "glmer.nb.theta")); print(logLik(other))

# Penalised quasi-likelihood of gamma rows by MASS::glmmPQL, run until nothing moves: each round starts where the last
# one ended, and its own rule (a thousandth) stops it after a few steps.
cat("\n== gamma by MASS::glmmPQL\n")
text <- deparse(MASS::glmmPQL)
text <- sub("1e-06 * sum(eta^2)", "1e-20 * sum(eta^2)", text, fixed = TRUE)
stopifnot(any(grepl("1e-20", text, fixed = TRUE)))
glmmPQL <- eval(parse(text = text), envir = environment(MASS::glmmPQL))
quasi <- glmmPQL(waiting ~ x + visit, random = ~ 1 | id, family = Gamma("log"), data = simulated, niter = 200,
                 verbose = FALSE, control = nlme::lmeControl(msTol = 1e-12, tolerance = 1e-10, opt = "nlminb"))
print(summary(quasi))
sd_id <- as.numeric(nlme::VarCorr(quasi)["(Intercept)", "StdDev"])
quasi_table <- data.frame(
  parameter = c("Intercept", "x", "visit", "sd(id)", "phi"),
  estimate = sprintf("%.10g", c(nlme::fixef(quasi), sd_id, quasi$sigma^2)), row.names = NULL
)
print(quasi_table)
write.csv(quasi_table, file.path(output_folder, "dispersion_pql.csv"), row.names = FALSE, quote = 1)

write.csv(table, file.path(output_folder, "dispersion_families.csv"), row.names = FALSE, quote = 1:6)
cat("\n")
cat(R.version.string, " (", R.version$platform, ")\n", sep = "")
for (package in c("lme4", "glmmTMB", "TMB", "Matrix", "numDeriv", "MASS", "nlme"))
  cat(package, as.character(packageVersion(package)), "\n")
