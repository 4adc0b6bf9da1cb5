# R's side of benchmarks/survival.py: reads the data that it wrote, times each task in CPU seconds, prints one JSON line.
suppressMessages(library(survival))
options(digits = 17)
folder <- commandArgs(TRUE)[1]; rounds <- as.integer(commandArgs(TRUE)[2])
read <- function(name, columns) {
  path <- file.path(folder, name); matrix(readBin(path, "double", file.size(path) / 8), ncol = columns)
}
seconds <- function(expression) { t <- system.time(expression, gcFirst = TRUE); sum(t[c("user.self", "sys.self")]) }
people <- as.data.frame(read("people.bin", 10)); names(people) <- c("years", "event", paste0("x", 1:8))
y <- Surv(people$years, people$event); x <- as.matrix(people[, -(1:2)])
common <- as.data.frame(read("common.bin", 6)); names(common) <- c("years", "event", paste0("z", 1:4))
genes <- read("genes.bin", file.size(file.path(folder, "genes.bin")) / 8 / nrow(common))
for (round in seq_len(rounds)) {
  cox <- seconds(fit <- coxph(Surv(years, event) ~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8, people))
  days <- seconds(coxph(Surv(ceiling(years * 365.25) / 365.25, event) ~ x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8, people))
  bare <- seconds(coxph.fit(x, y, NULL, NULL, NULL, coxph.control(), method = "efron", rownames = NULL))
  zph <- seconds(test <- cox.zph(fit))
  concordant <- seconds(found <- concordance(fit))
  each <- seconds(beta <- apply(genes, 2, function(g) coef(coxph(Surv(years, event) ~ g + z1 + z2 + z3 + z4, common))[1]))
  cat(sprintf('{"cox": %.17g, "days": %.17g, "bare": %.17g, "ph": %.17g, "concordance": %.17g, "genes": %.17g, "coef": [%s], "chisq": [%s], "c": [%.17g, %.17g], "beta": [%s]}\n',
    cox, days, bare, zph, concordant, each, paste(format(coef(fit), digits = 17), collapse = ", "),
    paste(format(test$table[, 1], digits = 17), collapse = ", "), found$concordance, sqrt(found$var), paste(format(beta, digits = 17), collapse = ", ")))
}
