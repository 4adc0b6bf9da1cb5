# Golden values for tests/analyses/test_fairness.py. In the top folder: python -m tests.golden.fairness.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-sandwich, r-cran-lmtest.
suppressMessages({library(sandwich); library(lmtest)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
d <- read.csv("people.csv"); d$face <- d$age + d$error
one <- d[d$sex == 1, ]; two <- d[d$sex == 2, ]
hc3 <- function(fit, term) {
  ct <- coeftest(fit, vcov = vcovHC(fit, type = "HC3")); ci <- coefci(fit, vcov. = vcovHC(fit, type = "HC3"))
  c(ct[term, 1], ci[term, ], ct[term, 4])
}
mean_of <- function(x) { t <- t.test(x); c(t$estimate, t$conf.int) }
# Miller 1968 (doi:10.1214/aoms/1177698418): t interval of the logarithm, whose error is that of leaving each value out
jackknifed <- function(f, x) {
  n <- length(x); left <- sapply(seq_len(n), function(i) log(f(x[-i])))
  f(x) * exp(c(0, -1, 1) * qt(0.975, n - 1) * sqrt((n - 1) / n * sum((left - mean(left))^2)))
}
for (sex in 1:2) {
  g <- d[d$sex == sex, ]
  add(paste("mean", sex), mean_of(g$error)); add(paste("absolute", sex), mean_of(abs(g$error)))
  add(paste("root mean square", sex), jackknifed(function(x) sqrt(mean(x^2)), g$error)); add(paste("sd", sex), jackknifed(sd, g$error))
  r <- cor.test(g$face, g$age); add(paste("correlation", sex), c(r$estimate, r$conf.int, r$p.value))
  add(paste("slope", sex), hc3(lm(error ~ I(age / 10), g), "I(age/10)"))
  d$other <- as.numeric(d$sex != sex); d$centred <- d$age - mean(d$age)
  add(paste("mean at age", sex), hc3(lm(error ~ other + centred, d), "(Intercept)"))
  w <- prop.test(sum(g$failed), nrow(g), correct = FALSE); add(paste("wilson", sex), c(w$estimate, w$conf.int))
}
d$second <- as.numeric(d$sex == 2)
compare <- function(name, x, y, outcome) {
  w <- t.test(x, y); add(paste("raw", name), c(-diff(w$estimate), w$conf.int, w$p.value))
  add(paste("adjusted", name), hc3(lm(outcome ~ second + age, d), "second"))
}
compare("error", two$error, one$error, d$error)
compare("absolute", abs(two$error), abs(one$error), abs(d$error))
v <- var.test(two$error, one$error); add("raw spread", sqrt(c(v$estimate, v$conf.int))); add("raw spread p", v$p.value)
v <- var.test(lm(error ~ age, two), lm(error ~ age, one)); add("adjusted spread", sqrt(c(v$estimate, v$conf.int))); add("adjusted spread p", v$p.value)
# Newcombe 1998, method 10, and Zou 2007, from the intervals of prop.test and cor.test
mover <- function(a, b) { e <- a[1] - b[1]; c(e, e - sqrt((a[1] - a[2])^2 + (b[3] - b[1])^2), e + sqrt((a[3] - a[1])^2 + (b[1] - b[2])^2)) }
share <- function(g) { w <- prop.test(sum(g$failed), nrow(g), correct = FALSE); c(w$estimate, w$conf.int) }
add("raw share", mover(share(two), share(one)))
add("raw share p", fisher.test(table(d$sex, d$failed))$p.value)
add("adjusted share", hc3(lm(failed ~ second + age, d), "second"))
r2 <- cor.test(two$face, two$age); r1 <- cor.test(one$face, one$age)
add("raw correlation", mover(c(r2$estimate, r2$conf.int), c(r1$estimate, r1$conf.int)))
z <- (atanh(r2$estimate) - atanh(r1$estimate)) / sqrt(1 / (nrow(two) - 3) + 1 / (nrow(one) - 3))
add("raw correlation p", 2 * pnorm(-abs(z)))
for (k in c(0, 1, 7, 10)) { w <- suppressWarnings(prop.test(k, 10, correct = FALSE)); add(paste("wilson of 10", k), c(w$estimate, w$conf.int)) }
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("sandwich", packageVersion("sandwich")), paste("lmtest", packageVersion("lmtest"))), "versions.txt")
