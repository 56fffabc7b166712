# Reference fits of linear models and linear mixed models whose residuals correlate and differ in their standard
# deviations: nlme's gls and lme with a correlation and weights.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/residual_scales.R bayesglmm/datasets \
#     tests/reference > tests/reference/residual_scales.out 2>&1
# Reads orthodont.csv (first argument); writes residual_scales.csv into the second. Needs nlme.
#
# `thinned` problems lack the rows i = 1, 2, ... with (7 i^2 + 3 i) mod 11 = 0: groups of different lengths, gaps in time.
# varIdent(~ 1 | sex) is `~ 0 + sex` here, varExp(~ age) is `~ age`, varIdent(~ 1 | age) is `~ 0 + C(age)`, of which the
# last stands beside corSymm alone: every visit a standard deviation, every two a correlation. The logarithms of sigma
# times nlme's ratios are written down. Every fit is made from several starts with tightened criteria; the best is kept. Standard errors of
# coefficients are those of REML fits (nlme multiplies those of ML fits by sqrt(n / (n - p))).

suppressPackageStartupMessages(library(nlme))
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

orthodont <- read.csv(file.path(data_folder, "orthodont.csv"))
orthodont$subject <- factor(orthodont$subject)
orthodont$sex <- factor(orthodont$sex, levels = c("Male", "Female"))
orthodont$visit <- as.integer((orthodont$age - 6) / 2)
i <- seq_len(nrow(orthodont))
thinned <- orthodont[(7 * i^2 + 3 * i) %% 11 != 0, ]

gls_controls <- list(
  glsControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-12, msTol = 1e-14),
  glsControl(maxIter = 500, msMaxIter = 5000, opt = "optim", tolerance = 1e-12, msTol = 1e-15),
  glsControl(maxIter = 500, msMaxIter = 2000, returnObject = TRUE))
lme_controls <- list(
  lmeControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-10, msTol = 1e-13, niterEM = 100, returnObject = TRUE),
  lmeControl(maxIter = 500, msMaxIter = 5000, opt = "optim", tolerance = 1e-12, msTol = 1e-15, returnObject = TRUE))

attempt <- function(expression) tryCatch(expression, error = function(e) { cat("  failed:", conditionMessage(e), "\n"); NULL })
best <- function(fits) {
  fits <- Filter(Negate(is.null), fits)
  fits[[which.max(vapply(fits, function(f) as.numeric(logLik(f)), 0))]]
}

structures <- list(
  "ar1(visit | subject)" = function(rho) corAR1(rho, form = ~ visit | subject),
  "car1(age | subject)" = function(rho) corCAR1(max(rho, 0.1), form = ~ age | subject),
  "cs(age | subject)" = function(rho) corCompSymm(rho, form = ~ 1 | subject),
  "us(age | subject)" = function(rho) corSymm(rep(rho, 6), form = ~ visit | subject))
scales <- list(
  "~ 0 + sex" = function() varIdent(form = ~ 1 | sex),
  "~ age" = function() varExp(form = ~ age),
  "~ 0 + C(age)" = function() varIdent(form = ~ 1 | age))
ages <- c(8, 10, 12, 14)

table <- NULL
record <- function(problem, thin, formula, residual, dispersion, method, fit) {
  cat("\n====", problem, residual, dispersion, method, "\n")
  print(fit)
  ll <- as.numeric(logLik(fit))
  mixed <- inherits(fit, "lme")
  one <- function(parameter, estimate, std_error = NA) table <<- rbind(table, data.frame(
    problem, thinned = thin, formula, residual, dispersion, method, parameter, estimate, std_error, loglik = ll))
  beta <- if (mixed) fixef(fit) else coef(fit)
  se <- if (method == "reml") sqrt(diag(vcov(fit))) else rep(NA, length(beta))
  for (k in seq_along(beta)) one(c("Intercept", "age", "sex[Female]", "age:sex[Female]")[k], beta[[k]], se[[k]])
  if (mixed) one("sd(subject)", as.numeric(VarCorr(fit)[1, 2]))
  rho <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
  # corSymm holds the lower triangle column by column.
  pairs <- combn(ages, 2)
  of <- if (length(rho) == 1) "cor(residual)" else sprintf("cor(residual, %d, %d)", pairs[1, ], pairs[2, ])
  for (k in seq_along(rho)) one(of[k], rho[[k]])
  if (dispersion == "~ 0 + sex") {
    ratios <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
    for (sex in c("Male", "Female")) one(sprintf("log_sigma[sex[%s]]", sex), log(fit$sigma * ratios[[sex]]))
  } else if (dispersion == "~ 0 + C(age)") {
    ratios <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)
    for (age in ages) one(sprintf("log_sigma[C(age)[%d]]", age), log(fit$sigma * ratios[[as.character(age)]]))
  } else {
    one("log_sigma[Intercept]", log(fit$sigma))
    one("log_sigma[age]", coef(fit$modelStruct$varStruct, unconstrained = FALSE)[[1]])
  }
  cat(sprintf("logLik %.9f\n", ll))
}

for (thin in c(FALSE, TRUE)) {
  data <- if (thin) thinned else orthodont
  for (residual in names(structures)) for (dispersion in names(scales)) for (method in c("ml", "reml")) {
    if (dispersion == "~ 0 + C(age)" && residual != "us(age | subject)") next
    fits <- list()
    for (rho in c(0, 0.5)) for (control in gls_controls) fits[[length(fits) + 1]] <- attempt(
      gls(distance ~ age * sex, data, correlation = structures[[residual]](rho), weights = scales[[dispersion]](),
          method = toupper(method), control = control))
    record("gls", thin, "distance ~ age * sex", residual, dispersion, method, best(fits))
  }
  for (residual in c("ar1(visit | subject)", "car1(age | subject)")) for (dispersion in names(scales)[1:2]) {
    if (residual == "car1(age | subject)" && dispersion == "~ 0 + sex") next
    for (method in c("ml", "reml")) {
      fits <- list()
      for (rho in c(0, 0.4, -0.3)) for (control in lme_controls) fits[[length(fits) + 1]] <- attempt(
        lme(distance ~ age * sex, data, random = ~ 1 | subject, correlation = structures[[residual]](rho),
            weights = scales[[dispersion]](), method = toupper(method), control = control))
      record("lme", thin, "distance ~ age * sex + (1 | subject)", residual, dispersion, method, best(fits))
    }
  }
}

write.csv(format(table, digits = 12, trim = TRUE), file.path(output_folder, "residual_scales.csv"), row.names = FALSE,
          quote = c(1, 3, 4, 5, 6, 7))
cat("\n")
print(sessionInfo()$R.version$version.string)
cat("nlme", as.character(packageVersion("nlme")), "\n")
