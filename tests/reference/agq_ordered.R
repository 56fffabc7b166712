# Reference fits of ordered categories by adaptive Gauss-Hermite quadrature: the wine data by ordinal::clmm, 10 and 25 nodes.
#
# From the project's root:
#   OMP_NUM_THREADS=1 Rscript tests/reference/agq_ordered.R tests/reference > tests/reference/agq_ordered.out 2>&1
# Writes agq_ordered.csv into the folder given. Needs ordinal.
#
# Modes are found to gradTol = 1e-4 by default, and sums over nodes depend on them; here to 1e-8, as in zero_parts.R, where
# it is also said why "cloglog" is asked for as "loglog", and why standard errors are those of the default.

folder <- commandArgs(trailingOnly = TRUE)[1]
suppressPackageStartupMessages(library(ordinal))
options(digits = 12, width = 150, warn = 1)
formula <- rating ~ temp + contact + (1 | judge)
tight <- clmm.control(gradTol = 1e-8, innerCtrl = "noWarn", grtol = 1e-8)
rows <- list()
for (link in c("logit", "probit", "cloglog")) for (nodes in c(10, 25)) {
  called <- if (link == "cloglog") "loglog" else link
  loose <- clmm(formula, data = wine, link = called, nAGQ = nodes)
  m <- suppressWarnings(clmm(formula, data = wine, link = called, nAGQ = nodes, control = tight))
  cat("\n====", link, nodes, "nodes\n")
  print(summary(loose))
  cat("log-likelihood with the default tolerance:", logLik(loose), "with gradTol = 1e-8:", logLik(m), "\n")
  cat("largest gradient with gradTol = 1e-8:", m$optRes$message, max(abs(m$gradient)), "\n")
  names <- c(paste0("cutpoint[", names(m$alpha), "]"), "temp[warm]", "contact[yes]", "sd(judge)")
  rows[[length(rows) + 1]] <- data.frame(
    link, points = nodes, parameter = names, estimate = c(coef(m)[1:6], m$ST[[1]][1]),
    std_error = c(coef(summary(loose))[, 2], NA), loglik = sprintf("%.10f", logLik(m))
  )
}
write.csv(do.call(rbind, rows), file.path(folder, "agq_ordered.csv"), row.names = FALSE, na = "")
cat("\nordinal", as.character(packageVersion("ordinal")), ",", R.version.string, "\n")
