# Fits lme4 and glmmTMB on request of frequentist.py: one line in, one line out, fields parted by tabs.
#
#   load <data.csv> <levels.csv>   ->  = loaded
#   fit <call on the data frame d> ->  = <wall s> <CPU s> <log-likelihood> <first warning, if any>
#   versions                       ->  = R 4.2.2, lme4 1.1-31, ...
#
# The clock runs around the call alone; what a call prints goes to standard error.

suppressMessages({
  library(lme4)
  library(glmmTMB)
})

read_data <- function(data_path, levels_path) {
  d <- read.csv(data_path, stringsAsFactors = FALSE)
  known <- read.csv(levels_path, colClasses = "character")
  for (column in unique(known$column)) {
    d[[column]] <- factor(as.character(d[[column]]), levels = known$level[known$column == column])
  }
  d
}

log_likelihood <- function(fit) {
  value <- as.numeric(logLik(fit))
  if (is.na(value) && inherits(fit, "glmmTMB")) -fit$fit$objective else value
}

one_line <- function(text) {
  gsub("[\t\r\n ]+", " ", text)
}

timed <- function(call, d) {
  said <- character()
  expression <- parse(text = call)[[1]]
  took <- system.time(
    fit <- withCallingHandlers(
      eval(expression, list(d = d), globalenv()),
      warning = function(w) {
        said <<- c(said, conditionMessage(w))
        invokeRestart("muffleWarning")
      },
      message = function(m) {
        said <<- c(said, conditionMessage(m))
        invokeRestart("muffleMessage")
      }
    ),
    gcFirst = TRUE
  )
  cpu <- sum(took[c("user.self", "sys.self", "user.child", "sys.child")], na.rm = TRUE)
  c(
    sprintf("%.6f", took[["elapsed"]]), sprintf("%.6f", cpu), sprintf("%.9f", log_likelihood(fit)),
    if (length(said)) one_line(said[[1]]) else ""
  )
}

versions <- function() {
  packages <- c("lme4", "glmmTMB", "TMB", "Matrix")
  numbers <- vapply(packages, function(p) packageDescription(p)$Version, "")
  r <- paste("R", paste(R.version$major, R.version$minor, sep = "."))
  blas <- paste("R's BLAS", basename(extSoftVersion()[["BLAS"]]))
  paste(c(r, paste(packages, numbers), blas), collapse = ", ")
}

answer <- function(words, state) {
  switch(words[[1]],
    load = {
      state$d <- read_data(words[[2]], words[[3]])
      "loaded"
    },
    fit = timed(words[[2]], state$d),
    versions = versions(),
    stop("unknown request: ", words[[1]])
  )
}

serve <- function() {
  state <- new.env()
  requests <- file("stdin", "r")
  while (length(line <- readLines(requests, n = 1)) > 0) {
    words <- strsplit(line, "\t", fixed = TRUE)[[1]]
    said <- tryCatch(
      c("=", answer(words, state)),
      error = function(e) c("!", one_line(conditionMessage(e)))
    )
    cat(paste(said, collapse = "\t"), "\n", sep = "")
    flush(stdout())
  }
}

serve()
