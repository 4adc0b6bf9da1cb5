# Golden values for tests/analyses/test_table_one.py. In the top folder: python -m tests.golden.table_one.data; then here: Rscript golden.R.
# R alone, no package: the formulas of Austin 2009 (numbers) and Yang and Dalton 2012 (factors) written out.
options(digits = 17)
d <- read.csv("voters.csv", na.strings = "")
parties <- c("democrat", "independent", "republican")
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
pairs <- list(c(1, 2), c(1, 3), c(2, 3))
for (name in c("age", "income")) {
  by <- lapply(parties, function(p) { x <- d[[name]][d$party == p]; x[!is.na(x)] })
  for (k in 1:3) add(paste(name, parties[k]), c(length(by[[k]]), mean(by[[k]]), sd(by[[k]]), quantile(by[[k]], c(.25, .5, .75))))
  add(paste(name, "smd"), sapply(pairs, function(i) abs(mean(by[[i[1]]]) - mean(by[[i[2]]])) / sqrt((var(by[[i[1]]]) + var(by[[i[2]]])) / 2)))
  add(paste(name, "missing"), sum(is.na(d[[name]])))
}
multinomial <- function(x, y, levels) {
  p <- prop.table(table(factor(x, levels)))[-1]; q <- prop.table(table(factor(y, levels)))[-1]
  p <- as.vector(p); q <- as.vector(q); k <- length(p)
  s <- matrix(0, k, k)
  for (i in 1:k) for (j in 1:k) s[i, j] <- if (i == j) (p[i] * (1 - p[i]) + q[i] * (1 - q[i])) / 2 else -(p[i] * p[j] + q[i] * q[j]) / 2
  sqrt(drop(t(p - q) %*% solve(s) %*% (p - q)))
}
for (name in c("vote", "news")) {
  levels <- if (name == "vote") c("clinton", "dole") else c("few", "some", "daily")
  by <- lapply(parties, function(p) { x <- d[[name]][d$party == p]; x[!is.na(x)] })
  for (k in 1:3) { t <- table(factor(by[[k]], levels)); add(paste(name, parties[k]), c(t, prop.table(t))) }
  add(paste(name, "smd"), sapply(pairs, function(i) multinomial(by[[i[1]]], by[[i[2]]], levels)))
  add(paste(name, "missing"), sum(is.na(d[[name]])))
}
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(R.version.string, "versions.txt")
