# Reference fits of covariance structures of group effects with nlme, lme4 and glmmTMB, one thread.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/structures.R bayesglmm/datasets tests/reference \
#     > tests/reference/structures.out 2>&1
# Reads the package's own CSV files (first argument); writes structures.csv into the second.
#
#  - cs: nlme's pdCompSymm, one standard deviation and one correlation of an intercept and a slope;
#  - ar1: glmmTMB's ar1(visit + 0 | subject); places with gaps: its ou(), exp(-theta |s - t|), where rho is positive;
#  - by: lme4's (0 + dummy(f, "a") | g) + (0 + dummy(f, "b") | g), the same model written out.

suppressPackageStartupMessages({
  library(nlme)
  library(lme4)
  library(glmmTMB)
})
options(digits = 10, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"
read_data <- function(name) read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)

orthodont <- read_data("orthodont.csv")
orthodont$years <- (orthodont$age - 11) / 3
orthodont$sex <- relevel(factor(orthodont$sex), "Male")
epilepsy <- read_data("epilepsy.csv")
epilepsy$trt <- relevel(factor(epilepsy$trt), "placebo")
epilepsy <- transform(epilepsy, lbase = log(base / 4), lage = log(age), visit = factor(period))
ovary <- read_data("ovary.csv")
ovary$place <- ave(seq_len(nrow(ovary)), ovary$mare, FUN = seq_along)
ovary <- transform(ovary, sine = sin(2 * pi * time), cosine = cos(2 * pi * time), visit = factor(place))
gappy <- subset(ovary, place %in% c(1, 2, 4, 5, 9, 10, 12, 17, 18, 19, 22, 26))
gappy$when <- numFactor(gappy$place)

table <- data.frame()
record <- function(problem, method, loglik, ...) {
  values <- c(...)
  rows <- data.frame(problem = problem, method = method, parameter = names(values),
                     estimate = sprintf("%.9g", values), loglik = sprintf("%.9f", loglik))
  table <<- rbind(table, rows)
  print(rows, row.names = FALSE)
}
said <- function(...) cat("\n----", ..., "----\n")

# ---- compound symmetry -----------------------------------------------------------------------------------------------

for (method in c("ML", "REML")) {
  said("orthodont, pdCompSymm,", method)
  fit <- lme(distance ~ years * sex, orthodont, random = list(subject = pdCompSymm(~ years)), method = method,
             control = lmeControl(msTol = 1e-12, tolerance = 1e-12, msMaxIter = 500, opt = "optim"))
  print(fit)
  G <- as.matrix(fit$modelStruct$reStruct[[1]]) * fit$sigma^2
  record("orthodont_cs", tolower(method), as.numeric(logLik(fit)), Intercept = unname(fixef(fit)[1]),
         "sd(subject)" = sqrt(G[1, 1]), "cor(subject)" = G[1, 2] / G[1, 1], sigma = fit$sigma)
}

# ---- autoregression --------------------------------------------------------------------------------------------------

tight <- glmmTMBControl(optCtrl = list(iter.max = 1000, eval.max = 1000, rel.tol = 1e-14))
correlation <- function(fit, group) attr(VarCorr(fit)$cond[[group]], "correlation")[1, 2]
deviation <- function(fit, group) attr(VarCorr(fit)$cond[[group]], "stddev")[1]
for (reml in c(FALSE, TRUE)) {
  said("ovary, ar1, REML =", reml)
  fit <- glmmTMB(follicles ~ sine + cosine + ar1(visit + 0 | mare), ovary, REML = reml, control = tight)
  print(fit)
  record("ovary_ar1", if (reml) "reml" else "ml", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)$cond[1]),
         "sd(mare)" = unname(deviation(fit, 1)), "cor(mare)" = correlation(fit, 1), sigma = sigma(fit))
}
said("ovary at twelve places, ou")
fit <- glmmTMB(follicles ~ sine + cosine + ou(when + 0 | mare), gappy, control = tight)
print(fit)
record("ovary_gaps", "ml", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)$cond[1]),
       "sd(mare)" = unname(deviation(fit, 1)), "cor(mare)" = correlation(fit, 1), sigma = sigma(fit))

said("sleepstudy by REML: glmmTMB stops at sigma near 0 (the maximum is -867.0932, test_structure_fits.py); not recorded")
sleepstudy <- read_data("sleepstudy.csv")
sleepstudy$day <- factor(sleepstudy$days)
print(glmmTMB(reaction ~ days + ar1(day + 0 | subject), sleepstudy, REML = TRUE, control = tight))

said("epilepsy, ar1 alone")
fit <- glmmTMB(y ~ lbase * trt + lage + v4 + ar1(visit + 0 | subject), epilepsy, family = poisson, control = tight)
print(fit)
record("epilepsy_ar1", "laplace", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)$cond[1]),
       lbase = unname(fixef(fit)$cond["lbase"]), "sd(subject)" = unname(deviation(fit, 1)),
       "cor(subject)" = correlation(fit, 1))
said("epilepsy, intercepts and ar1")
fit <- glmmTMB(y ~ lbase * trt + lage + v4 + (1 | subject) + ar1(visit + 0 | subject), epilepsy, family = poisson,
               control = tight)
print(fit)
record("epilepsy_both", "laplace", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)$cond[1]),
       lbase = unname(fixef(fit)$cond["lbase"]), "sd(subject)" = unname(deviation(fit, 1)),
       "sd(subject, ar1)" = unname(deviation(fit, 2)), "cor(subject, ar1)" = correlation(fit, 2))

# ---- by --------------------------------------------------------------------------------------------------------------

for (reml in c(FALSE, TRUE)) {
  said("orthodont, intercepts by sex, REML =", reml)
  fit <- lmer(distance ~ years * sex + (0 + dummy(sex, "Female") | subject) + (0 + dummy(sex, "Male") | subject),
              orthodont, REML = reml, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
  print(fit)
  sds <- as.data.frame(VarCorr(fit))$sdcor
  record("orthodont_by", if (reml) "reml" else "ml", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)[1]),
         "sd(subject, sex[Female])" = sds[1], "sd(subject, sex[Male])" = sds[2], sigma = sigma(fit))
}
said("orthodont, intercepts and slopes by sex")
fit <- lmer(distance ~ years * sex + (0 + dummy(sex, "Female") + dummy(sex, "Female"):years | subject) +
              (0 + dummy(sex, "Male") + dummy(sex, "Male"):years | subject),
            orthodont, REML = FALSE, control = lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10)))
print(fit)
components <- as.data.frame(VarCorr(fit))$sdcor
record("orthodont_by_slopes", "ml", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)[1]),
       "sd(subject, Intercept, sex[Female])" = components[1], "sd(subject, years, sex[Female])" = components[2],
       "cor(subject, Intercept, years, sex[Female])" = components[3],
       "sd(subject, Intercept, sex[Male])" = components[4], "sd(subject, years, sex[Male])" = components[5],
       "cor(subject, Intercept, years, sex[Male])" = components[6], sigma = sigma(fit))
said("epilepsy, intercepts by treatment")
fit <- glmmTMB(y ~ lbase * trt + lage + v4 + (0 + dummy(trt, "placebo") | subject) + (0 + dummy(trt, "progabide") | subject),
               epilepsy, family = poisson, control = tight)
print(fit)
record("epilepsy_by", "laplace", as.numeric(logLik(fit)), Intercept = unname(fixef(fit)$cond[1]),
       "sd(subject, trt[placebo])" = unname(deviation(fit, 1)), "sd(subject, trt[progabide])" = unname(deviation(fit, 2)))

write.csv(table, file.path(output_folder, "structures.csv"), row.names = FALSE)
said("versions")
cat(R.version.string, "\n")
for (package in c("nlme", "lme4", "glmmTMB", "TMB")) cat(package, as.character(packageVersion(package)), "\n")
