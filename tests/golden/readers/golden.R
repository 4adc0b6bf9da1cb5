# Golden values for tests/stats/test_stats_readers.py. In the top folder: python -m tests.golden.readers.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-proc, r-cran-riskregression, r-cran-survival. R's packages for multi-reader studies are not in
# Debian: the formulas of Hillis 2007 (doi:10.1002/sim.2532) are written here anew, on pROC's variances and covariances and R's aov.
suppressMessages({library(pROC); library(riskRegression); library(survival)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
d <- read.csv("cases.csv"); x <- read.csv("ratings.csv"); h <- 0.5; t <- 3; r <- 5
known <- !(d$event == 0 & d$followup_years < h); y <- as.numeric(d$followup_years <= h & d$event == 1)
add("status", c(sum(known), sum(y[known])))
all <- cbind(x, model = d$model); k <- ncol(all)
curve <- function(v, keep = known) roc(y[keep], v[keep], levels = c(0, 1), direction = "<", quiet = TRUE)
curves <- lapply(all, curve)
for (i in 1:k) { ci <- ci.auc(curves[[i]], method = "delong"); add(paste("auc", names(all)[i]), c(ci[2], var(curves[[i]], method = "delong"), ci[1], ci[3])) }
S <- matrix(0, k, k)
for (i in 1:k) for (j in 1:k) S[i, j] <- if (i == j) var(curves[[i]], method = "delong") else cov(curves[[i]], curves[[j]], method = "delong")
add("covariance", S)
for (p in list(c(1, 6), c(6, 11), c(2, 16))) { w <- roc.test(curves[[p[1]]], curves[[p[2]]], method = "delong", paired = TRUE); add(paste("paired", p[1], p[2]), c(w$estimate[1] - w$estimate[2], w$conf.int, w$p.value)) }
# jackknife: leave out each case and compute anew
n <- sum(known); left <- t(sapply(which(known), function(i) { keep <- known; keep[i] <- FALSE; sapply(all, function(v) as.numeric(auc(curve(v, keep)))) }))
J <- (n - 1) / n * crossprod(sweep(left, 2, colMeans(left)))
add("jackknife", J)
theta <- sapply(curves, function(one) as.numeric(auc(one)))
orh <- function(name, theta, V, conditions) {
  t <- length(conditions); e <- expand.grid(reader = 1:r, condition = conditions); e$a <- theta; e[1:2] <- lapply(e[1:2], factor)
  ms <- summary(aov(a ~ condition * reader, e))[[1]][["Mean Sq"]]
  got <- list(error = c(), c1 = c(), c2 = c(), c3 = c())
  for (i in 1:nrow(e)) for (j in 1:nrow(e)) {
    same_c <- e$condition[i] == e$condition[j]; same_r <- e$reader[i] == e$reader[j]
    part <- if (same_c && same_r) "error" else if (same_r) "c1" else if (same_c) "c2" else "c3"
    got[[part]] <- c(got[[part]], V[i, j])
  }
  m <- sapply(got, mean); between <- max(m["c2"] - m["c3"], 0); means <- tapply(e$a, e$condition, mean)
  add(paste(name, "components"), c(ms, m))
  den <- ms[3] + r * between; ddf <- den^2 / (ms[3]^2 / ((t - 1) * (r - 1)))
  add(paste(name, "both test"), c(ms[1] / den, ddf, pf(ms[1] / den, t - 1, ddf, lower.tail = FALSE)))
  fixed <- m["error"] - m["c1"] + (r - 1) * between
  add(paste(name, "cases test"), c(ms[1] / fixed, pchisq((t - 1) * ms[1] / fixed, t - 1, lower.tail = FALSE)))
  add(paste(name, "readers test"), c(ms[1] / ms[3], (t - 1) * (r - 1), pf(ms[1] / ms[3], t - 1, (t - 1) * (r - 1), lower.tail = FALSE)))
  for (i in 2:t) {
    b <- means[i] - means[i - 1]
    s <- sqrt(2 * den / r); add(paste(name, "both difference", i - 1), c(b, b + c(-1, 1) * qt(0.975, ddf) * s, 2 * pt(-abs(b / s), ddf)))
    s <- sqrt(2 * fixed / r); add(paste(name, "cases difference", i - 1), c(b, b + c(-1, 1) * qnorm(0.975) * s, 2 * pnorm(-abs(b / s))))
    s <- sqrt(2 * ms[3] / r); f <- (t - 1) * (r - 1); add(paste(name, "readers difference", i - 1), c(b, b + c(-1, 1) * qt(0.975, f) * s, 2 * pt(-abs(b / s), f)))
  }
  for (i in 1:t) { rows <- (i - 1) * r + 1:r; single(paste(name, "mean", i - 1), theta[rows], V[rows, rows]) }
}
single <- function(name, theta, V) {
  ms <- var(theta); between <- max(mean(V[row(V) != col(V)]), 0); b <- mean(theta)
  den <- ms + r * between; ddf <- den^2 / (ms^2 / (r - 1)); s <- sqrt(den / r)
  add(paste(name, "both"), c(b, b + c(-1, 1) * qt(0.975, ddf) * s, s, ddf))
  s <- sqrt((mean(diag(V)) + (r - 1) * between) / r); add(paste(name, "cases"), c(b, b + c(-1, 1) * qnorm(0.975) * s, s))
  s <- sqrt(ms / r); add(paste(name, "readers"), c(b, b + c(-1, 1) * qt(0.975, r - 1) * s, s))
}
orh("delong", theta[1:15], S[1:15, 1:15], 1:3)
orh("jack", theta[1:15], J[1:15, 1:15], 1:3)
orh("two", theta[6:15], S[6:15, 6:15], 1:2)
W <- cbind(diag(r), -1)
for (i in 1:t) { rows <- c((i - 1) * r + 1:r, 16); single(paste("model", i - 1), theta[rows[1:r]] - theta[16], W %*% S[rows, rows] %*% t(W)) }
# everybody, weighted for censoring
s <- Score(lapply(as.list(all), as.numeric), Hist(followup_years, event) ~ 1, data = d, times = h, metrics = "auc", se.fit = TRUE, contrasts = TRUE, null.model = FALSE)
a <- as.data.frame(s$AUC$score); for (i in 1:k) { row <- a[a$model == names(all)[i], ]; add(paste("censored", names(all)[i]), c(row$AUC, row$se)) }
b <- as.data.frame(s$AUC$contrasts)
for (p in list(c("c1r0", "c0r0"), c("c2r0", "c1r0"), c("model", "c2r3"))) { row <- b[b$model == p[1] & b$reference == p[2], ]; add(paste("censored difference", p[1], p[2]), c(row$delta.AUC, row$se, row$p)) }
# signed rank: exact, and with ties over all signs
one <- theta[1:5]; two <- theta[6:10]; w <- wilcox.test(two, one, paired = TRUE, exact = TRUE); add("signed rank", c(w$statistic, w$p.value))
v <- c(0.1, -0.1, 0.3, 0.3, 0.2, 0.4, 0, -0.2); z <- v[v != 0]; q <- rank(abs(z)); sums <- as.matrix(expand.grid(rep(list(0:1), length(z)))) %*% q; obs <- sum(q[z > 0])
add("signed rank ties", c(obs, min(1, 2 * min(mean(sums <= obs), mean(sums >= obs)))))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("pROC", "riskRegression", "survival"), function(p) paste(p, packageVersion(p)))), "versions.txt")
