# rstanarm samples one problem; started by nuts.py with the path of a JSON file:
#
#   Rscript nuts_rstanarm.R settings.json
#
# settings: data, levels (csv as nuts.py writes them), formula, family, width, residual_width, decov_scale, mu, sigma
# (prior of the intercept, null without one), draws, seed, began (when the process was started), output.
#
# Prints one line of JSON. The draws go to `output`: doubles, parameter after parameter, chain after chain, as the names
# in the line say. Sampling seconds are Stan's own, warm-up included, of the slower chain; nothing is compiled, rstanarm's
# models come compiled. Warm-up is rstanarm's default, as long as the draws kept, at least 1000.

suppressMessages({
  library(rstanarm)
  library(jsonlite)
})

resident <- function(what) {
  lines <- readLines("/proc/self/status")
  line <- lines[startsWith(lines, paste0(what, ":"))]
  as.numeric(strsplit(trimws(sub(".*:", "", line)), " +")[[1]][[1]]) / 1024
}

read_data <- function(data_path, levels_path) {
  d <- read.csv(data_path, stringsAsFactors = FALSE)
  known <- read.csv(levels_path, colClasses = "character")
  for (column in unique(known$column)) {
    d[[column]] <- factor(as.character(d[[column]]), levels = known$level[known$column == column])
  }
  d
}

sample_posterior <- function(s, d) {
  families <- list(
    gaussian = gaussian(), bernoulli = binomial("logit"), binomial = binomial("logit"), poisson = poisson("log")
  )
  arguments <- list(
    formula = as.formula(s$formula), data = d, family = families[[s$family]],
    prior = normal(0, s$width, autoscale = FALSE),
    prior_covariance = decov(regularization = 1, concentration = 1, shape = 1, scale = s$decov_scale),
    chains = 2, cores = 2, iter = s$draws + s$tune, warmup = s$tune, seed = s$seed, refresh = 0
  )
  if (!is.null(s$mu)) arguments$prior_intercept <- normal(s$mu, s$sigma, autoscale = FALSE)
  if (s$family == "gaussian") arguments$prior_aux <- normal(0, s$residual_width, autoscale = FALSE)
  do.call(stan_glmer, arguments)
}

main <- function(path) {
  s <- fromJSON(path)
  base <- resident("VmRSS")
  cat("5", file = "/proc/self/clear_refs")
  d <- read_data(s$data, s$levels)
  s$tune <- max(1000, s$draws)
  began <- proc.time()[["elapsed"]]
  fit <- suppressWarnings(sample_posterior(s, d))
  call <- proc.time()[["elapsed"]] - began
  whole <- as.numeric(Sys.time()) - s$began
  memory <- resident("VmHWM") - base
  draws <- as.array(fit)
  connection <- file(s$output, "wb")
  writeBin(as.vector(draws), connection)
  close(connection)
  stats <- rstan::get_sampler_params(fit$stanfit, inc_warmup = FALSE)
  took <- rstan::get_elapsed_time(fit$stanfit)
  cat(toJSON(list(
    whole_s = whole, call_s = call, sampling_s = max(rowSums(took)), memory_mb = memory, draws = s$draws,
    tune = s$tune, divergences = sum(vapply(stats, function(x) sum(x[, "divergent__"]), 0)),
    shape = dim(draws), names = dimnames(draws)[[3]]
  ), auto_unbox = TRUE, digits = NA), "\n")
}

main(commandArgs(trailingOnly = TRUE)[[1]])
