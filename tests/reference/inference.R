# Reference figures for tests, profiles and the bootstrap of classical fits, one thread.
#
# From the project's root:
#   OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 Rscript tests/reference/inference.R bayesglmm/datasets tests/reference \
#     > tests/reference/inference.out 2>&1
# Reads the package's own CSV files (first argument); writes inference.csv into the second. Needs lme4, lmerTest, pbkrtest.
#
#  - degrees of freedom: lmerTest (Satterthwaite), pbkrtest through lmerTest (Kenward-Roger); single coefficients and joint
#    tests (contestMD);
#  - profiles: confint(profile) of lme4, 95%; its ends are interpolated, so that some five digits are to be relied on;
#  - likelihood ratios: differences of log-likelihoods;
#  - parametric bootstrap: bootMer, 1000 draws, percentiles; standard error of an end about 3% of the interval's width.

suppressPackageStartupMessages({
  library(lme4)
  library(lmerTest)
  library(pbkrtest)
})
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"

read_data <- function(name) read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)
as_factors <- function(d, ...) {
  for (column in c(...)) d[[column]] <- factor(d[[column]])
  d
}
sleepstudy <- as_factors(read_data("sleepstudy.csv"), "subject")
unbalanced <- subset(sleepstudy, days <= 3 | reaction > 300)
# Subjects without a variance of their own: REML lies on the boundary.
singular <- head(sleepstudy, 176)
singular$reaction <- singular$reaction - ave(singular$reaction, singular$subject)
cbpp <- as_factors(read_data("cbpp.csv"), "herd", "period")
salamander <- as_factors(read_data("salamander.csv"), "cross", "female", "male")
oats <- as_factors(read_data("oats.csv"), "block")
oats$variety <- factor(oats$variety, levels = c("Golden Rain", "Marvellous", "Victory"))
penicillin <- as_factors(read_data("penicillin.csv"), "plate", "sample")

rows <- list()
add <- function(problem, kind, parameter, ...) {
  row <- data.frame(problem = problem, kind = kind, parameter = parameter, estimate = NA, std_error = NA, df = NA,
                    ddf = NA, statistic = NA, p_value = NA, lower = NA, upper = NA, loglik = NA)
  given <- list(...)
  for (name in names(given)) row[[name]] <- given[[name]]
  rows[[length(rows) + 1]] <<- row
}

# ---- degrees of freedom ------------------------------------------------------------------------------------------------

tight <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-10, maxfun = 1e5))
fit_of <- function(formula, d, REML, control) {
  environment(formula) <- environment()  # pbkrtest evaluates the call again, and looks here for d
  lmerTest::lmer(formula, d, REML = REML, control = control)
}
degrees <- function(problem, formula, d, joint, control = tight) {
  for (REML in c(TRUE, FALSE)) {
    fit <- fit_of(formula, d, REML, control)
    kinds <- if (REML) c("Satterthwaite", "Kenward-Roger") else "Satterthwaite"
    for (kind in kinds) {
      label <- paste0(tolower(kind), if (REML) " reml" else " ml")
      table <- coef(summary(fit, ddf = kind))
      print(label); print(summary(fit)$varcor); print(table)
      for (name in rownames(table))
        add(problem, label, name, estimate = table[name, "Estimate"], std_error = table[name, "Std. Error"],
            ddf = table[name, "df"], statistic = table[name, "t value"], p_value = table[name, "Pr(>|t|)"],
            loglik = as.numeric(logLik(fit)))
      if (nrow(joint) > 0) {
        test <- contestMD(fit, joint, ddf = kind)
        print(test)
        add(problem, label, "joint", df = test[["NumDF"]], ddf = test[["DenDF"]], statistic = test[["F value"]],
            p_value = test[["Pr(>F)"]], loglik = as.numeric(logLik(fit)))
      }
    }
  }
}
pick <- function(p, which) diag(p)[which, , drop = FALSE]
degrees("sleep_slopes", reaction ~ days + (days | subject), sleepstudy, pick(2, 1:2))
degrees("sleep_intercept", reaction ~ days + (1 | subject), sleepstudy, pick(2, 1:2))
degrees("sleep_independent", reaction ~ days + (days || subject), sleepstudy, pick(2, 1:2))
degrees("sleep_unbalanced", reaction ~ days + (days | subject), unbalanced, pick(2, 1:2))
degrees("sleep_singular", reaction ~ days + (1 | subject), singular, pick(2, 1:2),
        lmerControl())  # bobyqa's own settings do not let it begin at the boundary
degrees("oats", yield ~ nitro + variety + (1 | block / variety), oats, pick(4, 3:4))
degrees("penicillin", diameter ~ 1 + (1 | plate) + (1 | sample), penicillin, pick(1, 0))
degrees("salamander_linear", mated ~ 0 + cross + (1 | female) + (1 | male), salamander,
        rbind(c(1, -1, 0, 0), c(0, 1, -1, 0), c(0, 0, 1, -1)))

# ---- profiles ----------------------------------------------------------------------------------------------------------

profiled <- function(problem, fit) {
  ends <- confint(profile(fit, devtol = 1e-8, delta.cutoff = 1 / 16), level = 0.95)
  rownames(ends) <- sub("^\\.sig", "sig", rownames(ends))
  print(ends)
  for (name in rownames(ends))
    add(problem, "profile", name, lower = ends[name, 1], upper = ends[name, 2], loglik = as.numeric(logLik(fit)))
}
slopes <- lme4::lmer(reaction ~ days + (days | subject), sleepstudy, REML = FALSE, control = tight)
profiled("sleep_slopes", slopes)
glmer_tight <- glmerControl(optimizer = "bobyqa", tolPwrss = 1e-12, optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
herds <- glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial, control = glmer_tight)
profiled("cbpp", herds)
plates <- lme4::lmer(diameter ~ 1 + (1 | plate) + (1 | sample), penicillin, REML = FALSE, control = tight)
profiled("penicillin", plates)

# ---- likelihood ratios -------------------------------------------------------------------------------------------------

ratio <- function(problem, small, large) {
  statistic <- 2 * as.numeric(logLik(large) - logLik(small))
  df <- attr(logLik(large), "df") - attr(logLik(small), "df")
  add(problem, "likelihood ratio", "", df = df, statistic = statistic,
      p_value = pchisq(statistic, df, lower.tail = FALSE))
}
intercepts <- lme4::lmer(reaction ~ days + (1 | subject), sleepstudy, REML = FALSE, control = tight)
independent <- lme4::lmer(reaction ~ days + (days || subject), sleepstudy, REML = FALSE, control = tight)
plain <- lm(reaction ~ days, sleepstudy)
ratio("sleep_slope", intercepts, slopes)
ratio("sleep_correlation", independent, slopes)
ratio("sleep_subject", plain, intercepts)
without <- glmer(cbind(incidence, size - incidence) ~ 1 + (1 | herd), cbpp, binomial, control = glmer_tight)
ratio("cbpp_period", without, herds)

# ---- parametric bootstrap ----------------------------------------------------------------------------------------------

natural <- function(fit) {
  components <- as.data.frame(VarCorr(fit), order = "lower.tri")
  c(fixef(fit), setNames(components$sdcor, seq_along(components$sdcor)))
}
boot <- function(problem, fit) {
  drawn <- bootMer(fit, natural, nsim = 1000, seed = 1, type = "parametric", use.u = FALSE)
  ends <- apply(drawn$t, 2, quantile, c(0.025, 0.975), na.rm = TRUE)
  print(drawn$t0); print(ends)
  for (k in seq_len(ncol(ends)))
    add(problem, "bootstrap", colnames(ends)[k], estimate = drawn$t0[k], std_error = sd(drawn$t[, k], na.rm = TRUE),
        lower = ends[1, k], upper = ends[2, k])
}
boot("sleep_slopes", lme4::lmer(reaction ~ days + (days | subject), sleepstudy, REML = FALSE))
boot("cbpp", glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial))

# ---- written with the names of the package -----------------------------------------------------------------------------

result <- do.call(rbind, rows)
named <- c("(Intercept)" = "Intercept", varietyMarvellous = "variety[Marvellous]", varietyVictory = "variety[Victory]",
           period2 = "period[2]", period3 = "period[3]", period4 = "period[4]", crossRR = "cross[RR]",
           crossRW = "cross[RW]", crossWR = "cross[WR]", crossWW = "cross[WW]")
components <- list(
  sleep_slopes = c("sd(subject, Intercept)", "cor(subject, Intercept, days)", "sd(subject, days)"),
  cbpp = "sd(herd)", penicillin = c("sd(plate)", "sd(sample)"))
translate <- function(problem, kind, name) {
  if (name %in% names(named)) return(named[[name]])
  if (name == "sigma") return("sigma")
  if (grepl("^sig[0-9]+$", name)) return(components[[problem]][as.integer(sub("sig", "", name))])
  if (kind == "bootstrap" && grepl("^[0-9]+$", name)) return(c(components[[problem]], "sigma")[as.integer(name)])
  name
}
result$parameter <- mapply(translate, result$problem, result$kind, result$parameter)
print(result)
write.csv(result, file.path(output_folder, "inference.csv"), row.names = FALSE, na = "")
print(sessionInfo())
