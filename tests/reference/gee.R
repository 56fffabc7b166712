# Reference figures for generalized estimating equations.
#
# From the project's root:
#   Rscript tests/reference/gee.R bayesglmm/datasets tests/reference > tests/reference/gee.out 2>&1
# Reads the package's own CSV files (first argument); writes gee.csv into the second. Needs geepack.
#
#  - binomial rows are expanded into their trials: the exchangeable correlation is between any two trials of a cluster;
#  - phi and alpha are geese's moment estimates (divisor n, no correction for p); `model` is the square root of the
#    diagonal of vbeta.naiv, which includes phi;
#  - iterations end when no estimate moves by 1e-13 (the default is 1e-4).

suppressPackageStartupMessages(library(geepack))
options(digits = 12, width = 150, warn = 1)

arguments <- commandArgs(trailingOnly = TRUE)
data_folder <- if (length(arguments) >= 1) arguments[1] else "bayesglmm/datasets"
output_folder <- if (length(arguments) >= 2) arguments[2] else "tests/reference"
read_data <- function(name) read.csv(file.path(data_folder, name), stringsAsFactors = FALSE)

multicenter <- read_data("multicenter.csv")
multicenter$treatment <- factor(multicenter$treatment, levels = c("control", "drug"))
trials <- multicenter[rep(seq_len(nrow(multicenter)), multicenter$n), ]
trials$y <- unlist(Map(function(s, n) rep(c(1, 0), c(s, n - s)), multicenter$favorable, multicenter$n))
trials <- trials[order(trials$clinic), ]
toenail <- read_data("toenail.csv.gz")
toenail$treatment <- factor(toenail$treatment, levels = c("itraconazole", "terbinafine"))
toenail <- toenail[order(toenail$patient_id, toenail$visit), ]
wheeze <- read_data("wheeze.csv")
respiratory <- read_data("respiratory.csv")
for (column in c("center", "treat", "sex")) respiratory[[column]] <- factor(respiratory[[column]])
respiratory$cluster <- as.integer(factor(paste(respiratory$center, respiratory$id)))
respiratory <- respiratory[order(respiratory$cluster, respiratory$visit), ]
orthodont <- read_data("orthodont.csv")
orthodont$sex <- factor(orthodont$sex, levels = c("Male", "Female"))
orthodont$cluster <- as.integer(factor(orthodont$subject))
orthodont <- orthodont[order(orthodont$cluster, orthodont$age), ]
epilepsy <- read_data("epilepsy.csv")
epilepsy$trt <- factor(epilepsy$trt, levels = c("placebo", "progabide"))
epilepsy <- epilepsy[order(epilepsy$subject, epilepsy$period), ]

rows <- list()
problem <- function(name, dataset, words, formula, d, cluster, family, correlation, time = NULL) {
  d$the_cluster <- d[[cluster]]
  d$the_time <- if (is.null(time)) ave(seq_len(nrow(d)), d$the_cluster, FUN = seq_along) else d[[time]]
  fit <- geeglm(formula, id = the_cluster, waves = the_time, data = d, family = family, corstr = correlation,
                control = geese.control(epsilon = 1e-13, maxit = 500))
  cat("\n====", name, "\n")
  print(summary(fit))
  link <- c(identity = "identity", logit = "logit", probit = "probit", cloglog = "cloglog", log = "log")[[family$link]]
  figures <- data.frame(
    problem = name, dataset = dataset, formula = words, family = family$family, link = link,
    correlation = c(exchangeable = "exchangeable", independence = "independence", ar1 = "ar1",
                    unstructured = "unstructured")[[correlation]],
    time = if (is.null(time)) "" else time,
    parameter = c(paste0("beta[", seq_along(coef(fit)) - 1, "]"),
                  if (length(fit$geese$alpha)) paste0("alpha[", seq_along(fit$geese$alpha) - 1, "]"), "phi"),
    estimate = c(coef(fit), fit$geese$alpha, fit$geese$gamma),
    sandwich = c(sqrt(diag(fit$geese$vbeta)), rep(NA, length(fit$geese$alpha) + 1)),
    model = c(sqrt(diag(fit$geese$vbeta.naiv)), rep(NA, length(fit$geese$alpha) + 1))
  )
  rows[[length(rows) + 1]] <<- figures
}

problem("multicenter", "multicenter", "favorable | trials(n) ~ treatment + (1 | clinic)", y ~ treatment, trials, "clinic",
        binomial(), "exchangeable")
problem("multicenter_independence", "multicenter", "favorable | trials(n) ~ treatment + (1 | clinic)", y ~ treatment,
        trials, "clinic", binomial(), "independence")
for (correlation in c("exchangeable", "independence"))
  problem(paste0("toenail_", correlation), "toenail", "outcome ~ treatment * time + (1 | patient_id)",
          outcome ~ treatment * time, toenail, "patient_id", binomial(), correlation)
# Patients miss visits: the powers of alpha are differences of visit numbers, not places in the record.
problem("toenail_ar1", "toenail", "outcome ~ treatment * time + (1 | patient_id)", outcome ~ treatment * time, toenail,
        "patient_id", binomial(), "ar1", "visit")
for (correlation in c("exchangeable", "independence", "ar1", "unstructured"))
  problem(paste0("wheeze_", correlation), "wheeze", "resp ~ age * smoke + (1 | id)", resp ~ age * smoke, wheeze, "id",
          binomial(), correlation)
problem("wheeze_probit", "wheeze", "resp ~ age * smoke + (1 | id)", resp ~ age * smoke, wheeze, "id",
        binomial("probit"), "exchangeable")
problem("wheeze_cloglog", "wheeze", "resp ~ age * smoke + (1 | id)", resp ~ age * smoke, wheeze, "id",
        binomial("cloglog"), "exchangeable")
problem("respiratory", "respiratory", "outcome ~ center + treat + sex + age + baseline + (1 | center:id)",
        outcome ~ center + treat + sex + age + baseline, respiratory, "cluster", binomial(), "exchangeable")
problem("respiratory_visit", "respiratory", "outcome ~ treat + center + age + baseline + visit + (1 | center:id)",
        outcome ~ treat + center + age + baseline + visit, respiratory, "cluster", binomial(), "exchangeable")
for (correlation in c("exchangeable", "independence", "ar1", "unstructured"))
  problem(paste0("orthodont_", correlation), "orthodont", "distance ~ age * sex + (1 | subject)", distance ~ age * sex,
          orthodont, "cluster", gaussian(), correlation)
# Unstructured, geese puts alpha[1] at 1.0103 and goes on: here it stays out.
for (correlation in c("exchangeable", "ar1"))
  problem(paste0("epilepsy_", correlation), "epilepsy", "y ~ trt + age + (1 | subject)", y ~ trt + age, epilepsy,
          "subject", poisson(), correlation)

table <- do.call(rbind, rows)
table$family[table$family == "binomial"] <- ifelse(table$dataset[table$family == "binomial"] == "multicenter", "binomial",
                                                   "bernoulli")
for (column in c("estimate", "sandwich", "model")) table[[column]] <- signif(table[[column]], 12)
write.csv(table, file.path(output_folder, "gee.csv"), row.names = FALSE, na = "")
cat("\n", R.version.string, "; geepack ", as.character(packageVersion("geepack")), "\n", sep = "")
