# Golden values for tests/stats/test_stats_variants.py. In the top folder: python -m tests.golden.variants.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-sandwich, r-cran-lmtest, r-cran-survey, r-cran-genetics. Debian has neither SKAT nor CompQuadForm, so
# SKAT is written by its matrix formula, and tails are Imhof's integral (absolute error about 1e-10), folded densities, and closed forms.
suppressMessages({library(sandwich); library(lmtest); library(survey); library(genetics)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
# Imhof 1961, equation 3.2; u = x / (1 - x) brings the axis to 0 ... 1
imhof <- function(q, a) {
  f <- function(x) sapply(x, function(x) {
    u <- x / (1 - x); theta <- sum(atan(a * u)) / 2 - q * u / 2
    sin(theta) / (u * prod((1 + a^2 * u^2)^0.25)) / (1 - x)^2
  })
  0.5 + integrate(f, 1e-14, 1 - 1e-7, subdivisions = 20000, rel.tol = 1e-11, stop.on.error = FALSE)$value / pi
}
# pairs of weights: a sum of exponentials, exact at any height
pairs <- function(q, a) sum(sapply(seq_along(a), function(i) exp(-q / (2 * a[i])) * prod(a[i] / (a[i] - a[-i]))))
# a single chi-square folded with pairs: all terms positive after substitution x = z^2
folded <- function(q, one, a) {
  tail <- function(r) sapply(r, function(r) if (r <= 0) 1 else pairs(r, a))
  g <- function(z) 2 * dnorm(z) * tail(q - one * z^2)
  top <- sqrt(q / one)
  integrate(g, 0, top, rel.tol = 1e-12, subdivisions = 5000, abs.tol = 0)$value + 2 * pnorm(top, lower.tail = FALSE)
}
weights <- c(1, 0.6, 0.3, 0.1)
for (q in c(0.1, 1, 4, 10, 50, 200)) add(paste("pairs", q), pairs(q, weights))
for (q in c(0.5, 2, 8, 30, 100)) add(paste("folded", q), folded(q, 0.8, weights))
for (q in c(1, 5, 40, 300)) add(paste("equal", q), pchisq(q / 2.5, 6, lower.tail = FALSE))
uneven <- c(3, 2, 1.5, 1, 0.7, 0.4, 0.2)
for (q in c(2, 6, 12, 25, 40)) { add(paste("imhof", q), imhof(q, uneven)); add(paste("saddlepoint", q), pchisqsum(q, rep(1, 7), uneven, lower.tail = FALSE, method = "saddlepoint")) }

d <- read.csv("people.csv"); genotypes <- as.matrix(d[, grep("^v", names(d))])
frequency <- colMeans(genotypes, na.rm = TRUE) / 2
add("frequency", frequency)
# HWE.exact of the package genetics counts the same probabilities
for (k in seq_len(ncol(genotypes))) {
  counts <- table(factor(genotypes[, k], levels = 0:2))
  words <- rep(c("A/A", "A/B", "B/B"), counts)
  add(paste("hardy-weinberg", k - 1), HWE.exact(genotype(words))$p.value)
}
for (words in list(c(60, 30, 20), c(100, 5, 3), c(30, 60, 30))) add(paste(c("hardy-weinberg", words), collapse = " "), HWE.exact(genotype(rep(c("A/A", "A/B", "B/B"), words)))$p.value)
filled <- genotypes
for (k in seq_len(ncol(filled))) filled[is.na(filled[, k]), k] <- mean(genotypes[, k], na.rm = TRUE)
w <- dbeta(frequency, 1, 25); add("weights", w)

rare <- frequency <= 0.05
hc3 <- function(x) {
  fit <- lm(y ~ x + age + sex, cbind(d, x = x))
  c(coeftest(fit, vcov = vcovHC(fit, type = "HC3"))["x", c(1, 2, 4)], coefci(fit, vcov. = vcovHC(fit, type = "HC3"))["x", ])
}
add("alleles", hc3(rowSums(filled[, rare])))
add("carriers", hc3(pmin(rowSums(filled[, rare]), 1)))
add("weighted", hc3(drop(filled[, rare] %*% (w[rare] / dbeta(0, 1, 25)))))

skat <- function(name, columns) {
  x <- model.matrix(~ age + sex, d); n <- nrow(x)
  null <- lm(y ~ age + sex, d); r <- residuals(null); s2 <- sum(r^2) / (n - ncol(x))
  kernel <- filled[, columns] %*% diag(w[columns]^2, sum(columns)) %*% t(filled[, columns])
  projection <- diag(n) - x %*% solve(crossprod(x)) %*% t(x)
  q <- drop(t(r) %*% kernel %*% r) / s2
  roots <- eigen(projection %*% kernel %*% projection, symmetric = TRUE, only.values = TRUE)$values[seq_len(sum(columns))]
  add(paste("skat", name), c(q, imhof(q, roots), roots))
  add(paste("skat saddlepoint", name), pchisqsum(q, rep(1, length(roots)), roots, lower.tail = FALSE, method = "saddlepoint"))
}
skat("rare", rare); skat("all", rep(TRUE, ncol(genotypes)))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("sandwich", "lmtest", "survey", "genetics"), function(p) paste(p, packageVersion(p)))), "versions.txt")
