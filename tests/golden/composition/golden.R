# Golden values for tests/analyses/test_single_cell.py.
# Here: python -m tests.golden.composition.data; Rscript golden.R. Debian packages r-base-core, r-cran-sandwich, r-cran-lmtest.
options(digits = 17)
library(sandwich)
library(lmtest)
d <- read.csv("districts.csv")
types <- c("PERASIAN", "PERBLACK", "PERHISP", "OTHERS")
level <- log2(as.matrix(d[types]) + 0.5)
ratio <- level - rowMeans(level)
rows <- list()
for (type in types) {
  y <- ratio[, type]
  joint <- coeftest(lm(y ~ age_acceleration + chronological_age + bmi, d), vcov. = function(f) vcovHC(f, type = "HC3"))
  alone <- coeftest(lm(y ~ age_gap, d), vcov. = function(f) vcovHC(f, type = "HC3"))
  found <- rbind(joint[c("age_acceleration", "chronological_age"), ], age_gap = alone["age_gap", ])
  rows[[type]] <- data.frame(
    term = type, exposure = rownames(found), estimate = found[, 1], standard_error = found[, 2], p_value = found[, 4]
  )
}
out <- do.call(rbind, rows)
out$q_value <- ave(out$p_value, out$exposure, FUN = function(p) p.adjust(p, "BH"))
for (name in names(out)[3:6]) out[[name]] <- format(out[[name]], digits = 17, scientific = TRUE, trim = TRUE)
write.table(out, "golden.tsv", sep = "\t", quote = FALSE, row.names = FALSE)
writeLines(c(
  R.version.string, paste("sandwich", packageVersion("sandwich")), paste("lmtest", packageVersion("lmtest"))
), "versions.txt")
