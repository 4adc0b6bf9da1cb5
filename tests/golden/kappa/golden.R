# Golden values for tests/faces/test_review.py. Here: Rscript golden.R. Debian packages r-base-core, r-cran-psych.
# Counts of two judges: those of Fleiss, Cohen and Everitt (1969, doi:10.1037/h0028106), and a table of two answers.
suppressMessages(library(psych))
tables <- list(three = matrix(c(88, 14, 18, 10, 40, 10, 2, 6, 12), 3, byrow = TRUE), two = matrix(c(150, 7, 9, 34), 2, byrow = TRUE))
rows <- lapply(names(tables), function(name) {
  ci <- cohen.kappa(tables[[name]])$confid["unweighted kappa", ]
  data.frame(table = name, ci_lower = ci[1], estimate = ci[2], ci_upper = ci[3])
})
write.table(format(do.call(rbind, rows), digits = 17), "golden.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(R.version.string, paste("psych", packageVersion("psych"))), "versions.txt")
