# Reference fits of linear models and linear mixed models whose residuals correlate: nlme's gls and lme.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/residual.R bayesglmm/datasets tests/reference \
#     > tests/reference/residual.out 2>&1
# Reads the package's own CSV files (first argument); writes residual.csv into the second. Needs nlme.
#
# `thinned` problems lack the rows i = 1, 2, ... with (7 i^2 + 3 i) mod 11 = 0: groups of different lengths, gaps in time.
# Every fit is made from two starts of the correlations, with the convergence criteria tightened; the better one is kept.
# Standard errors of coefficients are those of REML fits (nlme multiplies those of ML fits by sqrt(n / (n - p))).

suppressPackageStartupMessages(library(nlme))
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

read_data <- function(name) read.csv(file.path(data_folder, name))
orthodont <- read_data("orthodont.csv")
orthodont$subject <- factor(orthodont$subject)
orthodont$sex <- factor(orthodont$sex, levels = c("Male", "Female"))
orthodont$visit <- as.integer((orthodont$age - 6) / 2)
ovary <- read_data("ovary.csv")
ovary$mare <- factor(ovary$mare)
glucose <- read_data("glucose.csv")
glucose$date <- factor(glucose$date)
glucose$occasion <- interaction(glucose$subject, glucose$date, drop = TRUE)
for (k in 1:3) glucose[[paste0("p", k)]] <- as.numeric(poly(glucose$time, 3)[, k])

thinned <- function(data) {
  i <- seq_len(nrow(data))
  data[(7 * i^2 + 3 * i) %% 11 != 0, ]
}

gls_controls <- list(
  glsControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-12, msTol = 1e-14),
  # nlminb says "false convergence" where it can get no nearer; optim's BFGS with a small tolerance then serves.
  glsControl(maxIter = 500, msMaxIter = 5000, opt = "optim", tolerance = 1e-12, msTol = 1e-15),
  glsControl(maxIter = 500, msMaxIter = 2000, returnObject = TRUE))
lme_control <- lmeControl(maxIter = 500, msMaxIter = 2000, tolerance = 1e-10, msTol = 1e-13, niterEM = 100,
                          msVerbose = FALSE, returnObject = TRUE)

best <- function(fits) {
  fits <- Filter(function(f) !inherits(f, "error"), fits)
  fits[[which.max(vapply(fits, function(f) as.numeric(logLik(f)), 0))]]
}
attempt <- function(expression) tryCatch(expression, error = function(e) { message("  failed: ", conditionMessage(e)); e })

table <- NULL
add <- function(problem, dataset, thin, formula, residual, method, parameter, estimate, std_error, loglik) {
  table <<- rbind(table, data.frame(problem, dataset, thinned = thin, formula, residual, method, parameter, estimate,
                                    std_error, loglik))
}

record <- function(problem, dataset, thin, formula, residual, method, fit, names, sds = list()) {
  cat("\n====", problem, method, residual, "\n")
  print(fit)
  print(tryCatch(intervals(fit), error = function(e) conditionMessage(e)))
  ll <- as.numeric(logLik(fit))
  beta <- if (inherits(fit, "lme")) fixef(fit) else coef(fit)
  se <- if (method == "reml") sqrt(diag(vcov(fit))) else rep(NA, length(beta))
  one <- function(...) add(problem, dataset, thin, formula, residual, method, ..., ll)
  for (k in seq_along(beta)) one(names[k], beta[[k]], se[[k]])
  for (name in names(sds)) one(name, sds[[name]], NA)
  one("sigma", fit$sigma, NA)
  rho <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)
  if (length(rho) == 1) one("cor(residual)", rho[[1]], NA)
  else {
    # corSymm holds the lower triangle column by column.
    q <- 4; visits <- c(8, 10, 12, 14); at <- 1
    for (a in 1:(q - 1)) for (b in (a + 1):q) {
      one(sprintf("cor(residual, %d, %d)", visits[a], visits[b]), rho[[at]], NA); at <- at + 1
    }
  }
  cat(sprintf("logLik %.9f\n", ll))
}

ortho_names <- c("Intercept", "age", "sex[Female]", "age:sex[Female]")
ortho_formula <- "distance ~ age * sex"
for (thin in c(FALSE, TRUE)) {
  data <- if (thin) thinned(orthodont) else orthodont
  tail <- if (thin) "_thinned" else ""
  structures <- list(
    "us(age | subject)" = list(corSymm(form = ~ visit | subject), corSymm(rep(0.3, 6), form = ~ visit | subject)),
    "cs(1 | subject)" = list(corCompSymm(form = ~ 1 | subject), corCompSymm(0.4, form = ~ 1 | subject)),
    "ar1(visit | subject)" = list(corAR1(form = ~ visit | subject), corAR1(0.5, form = ~ visit | subject)),
    "car1(age | subject)" = list(corCAR1(0.2, form = ~ age | subject), corCAR1(0.8, form = ~ age | subject)))
  for (residual in names(structures)) for (method in c("ml", "reml")) {
    fits <- list()
    for (s in structures[[residual]]) for (control in gls_controls) fits[[length(fits) + 1]] <- attempt(
      gls(distance ~ age * sex, data, correlation = s, method = toupper(method), control = control))
    fit <- best(fits)
    record(paste0("orthodont_", sub("\\(.*", "", residual), tail), "orthodont", thin, ortho_formula, residual, method,
           fit, ortho_names)
  }
  for (method in c("ml", "reml")) {
    fit <- best(lapply(c(0, 0.3, -0.3), function(s) attempt(
      lme(distance ~ age * sex, data, random = ~ 1 | subject, correlation = corAR1(s, form = ~ visit | subject),
          method = toupper(method), control = lme_control))))
    record(paste0("orthodont_intercept_ar1", tail), "orthodont", thin, paste(ortho_formula, "+ (1 | subject)"),
           "ar1(visit | subject)", method, fit, ortho_names, list("sd(subject)" = as.numeric(VarCorr(fit)[1, 2])))
  }
}

for (thin in c(FALSE, TRUE)) for (method in c("ml", "reml")) {
  data <- if (thin) thinned(ovary) else ovary
  fit <- best(lapply(c(0.2, 0.6), function(s) attempt(
    lme(follicles ~ sine + cosine, data, random = list(mare = pdDiag(~ sine)),
        correlation = corAR1(s, form = ~ day | mare), method = toupper(method), control = lme_control))))
  sds <- sqrt(diag(as.matrix(getVarCov(fit))))
  record(paste0("ovary", if (thin) "_thinned" else ""), "ovary", thin,
         "follicles ~ sine + cosine + (1 + sine || mare)", "ar1(day | mare)", method, fit,
         c("Intercept", "sine", "cosine"), list("sd(mare, Intercept)" = sds[[1]], "sd(mare, sine)" = sds[[2]]))
}

for (method in c("ml", "reml")) {
  fit <- best(lapply(c(0.3, 0.7), function(s) attempt(
    lme(glucose ~ date + p1 + p2 + p3, glucose, random = ~ 1 | occasion,
        correlation = corCAR1(s, form = ~ time | occasion), method = toupper(method), control = lme_control))))
  record("glucose", "glucose", FALSE, "glucose ~ date + poly(time, 3) + (1 | subject:date)",
         "car1(time | subject:date)", method, fit, c("Intercept", "date[2]", "poly(time, 3)[0]", "poly(time, 3)[1]",
         "poly(time, 3)[2]"), list("sd(subject:date)" = as.numeric(VarCorr(fit)[1, 2])))
}

write.csv(format(table, digits = 12, trim = TRUE), file.path(output_folder, "residual.csv"), row.names = FALSE,
          quote = c(1, 2, 4, 5, 6, 7))
cat("\n")
print(sessionInfo()$R.version$version.string)
cat("nlme", as.character(packageVersion("nlme")), "\n")
