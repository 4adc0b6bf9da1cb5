# Golden values for tests/stats/test_sample_size.py. Here: Rscript golden.R; Debian package r-cran-rpact.
suppressMessages(library(rpact))
options(digits = 17, warn = 1)
designs <- list(
  exponential = list(alpha = 0.05, sided = 2, beta = 0.2, hazardRatio = 0.7, lambda2 = log(2) / 18, accrualTime = c(0, 24), followUpTime = 12),
  drop_out = list(alpha = 0.05, sided = 2, beta = 0.1, hazardRatio = 0.7, lambda2 = log(2) / 18, accrualTime = c(0, 24), followUpTime = 12,
    dropoutRate1 = 0.1, dropoutRate2 = 0.05, dropoutTime = 12, allocationRatioPlanned = 2),
  piecewise = list(alpha = 0.025, sided = 1, beta = 0.2, hazardRatio = 0.75,
    piecewiseSurvivalTime = list("0 - <6" = 0.05, "6 - <12" = 0.03, ">=12" = 0.02), accrualTime = c(0, 18), followUpTime = 24),
  harm = list(alpha = 0.05, sided = 2, beta = 0.15, hazardRatio = 1.6, lambda2 = 0.02, accrualTime = c(0, 36), followUpTime = 6,
    dropoutRate1 = 0.2, dropoutRate2 = 0.2, dropoutTime = 12, allocationRatioPlanned = 0.5))
out <- do.call(rbind, lapply(names(designs), function(name) {
  fit <- do.call(getSampleSizeSurvival, designs[[name]])
  data.frame(design = name, events = fit$eventsFixed, participants = fit$nFixed)
}))
write.table(out, "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("rpact", packageVersion("rpact"))), "versions.txt")
