# Golden values for tests/stats/test_measurement.py.
# In the top folder: python -m tests.golden.acceleration.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-psych, r-cran-nlme, r-cran-sandwich, r-cran-lmtest.
suppressMessages({library(splines); library(psych); library(nlme); library(sandwich); library(lmtest)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
e <- read.csv("engel.csv")
at <- c(400, 700, 1000, 1500, 3000, 4500)
for (df in 2:4) {
  fit <- lm(foodexp ~ ns(income, df), e)
  add(paste("spline", df), predict(fit, data.frame(income = c(300, at, 5500))))
}
direct <- loess.control(surface = "direct")
for (span in c(0.5, 0.75)) add(paste("loess", span), predict(loess(foodexp ~ income, e, span = span, control = direct), data.frame(income = at)))
add("loess residuals", residuals(loess(foodexp ~ income, e, control = direct))[1:20])
# mean by a spline, log standard deviation by a line: gls with varExp is this model
k <- range(e$income); e$z <- (e$income - mean(k)) / (diff(k) / 2)
tight <- glsControl(tolerance = 1e-12, msTol = 1e-14, maxIter = 500, msMaxIter = 500, opt = "optim", optimMethod = "BFGS", msVerbose = FALSE)
g <- gls(foodexp ~ ns(income, 3), e, weights = varExp(form = ~z), method = "ML", control = tight)
add("location", predict(g, data.frame(income = at)))
z <- (at - mean(k)) / (diff(k) / 2)
add("scale", g$sigma * exp(as.numeric(coef(g$modelStruct$varStruct)) * z))
add("location scale log likelihood", logLik(g))
r <- as.matrix(read.csv("repeats.csv"))
for (k in 2:3) {
  table <- ICC(r[, 1:k], lmer = FALSE)$results
  for (row in 1:2) add(paste(c("icc one way", "icc agreement")[row], k), unlist(table[row, c("ICC", "lower bound", "upper bound", "p")]))
  m <- anova(lm(value ~ person, data.frame(value = as.vector(r[, 1:k]), person = factor(rep(1:12, k)))))["Residuals", ]
  add(paste("error", k), sqrt(c(m$`Mean Sq`, m$`Sum Sq` / qchisq(c(0.975, 0.025), m$Df))))
}
# one exposure with error: regression calibration by its formula, SIMEX by refitting lm with the errors of draws.csv
d <- read.csv("exposed.csv"); u <- as.matrix(read.csv("draws.csv")); sd_error <- 2.5; df_error <- 19
m <- lm(outcome ~ exposure + covariate, d); ct <- coeftest(m, vcovHC(m, "HC3"))["exposure", ]
x <- summary(lm(exposure ~ covariate, d)); v <- x$sigma^2; rel <- 1 - sd_error^2 / v
b <- ct[1] / rel; noise <- (sd_error^2 / v)^2 * (2 / df_error + 2 / x$df[2])
s <- sqrt((ct[2] / rel)^2 + b^2 * noise / rel^2)
add("calibrated", c(b, b + c(-1, 1) * qt(0.975, m$df.residual) * s, 2 * pt(-abs(b / s), m$df.residual))); add("reliability", rel)
add("naive", c(ct[1], coefci(m, vcov. = vcovHC(m, "HC3"))["exposure", ], ct[4]))
lambda <- c(0.5, 1, 1.5, 2); theta <- coef(m)["exposure"]; tau <- vcov(m)["exposure", "exposure"]
for (i in seq_along(lambda)) {
  fits <- lapply(1:30, function(k) lm(outcome ~ w + covariate, transform(d, w = exposure + sqrt(lambda[i]) * sd_error * u[, (i - 1) * 30 + k])))
  slopes <- sapply(fits, function(f) coef(f)["w"])
  theta <- c(theta, mean(slopes)); tau <- c(tau, mean(sapply(fits, function(f) vcov(f)["w", "w"])) - var(slopes))
}
l <- c(0, lambda)
add("simex", c(predict(lm(theta ~ l + I(l^2)), data.frame(l = -1)), sqrt(predict(lm(tau ~ l + I(l^2)), data.frame(l = -1)))))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("psych", "nlme", "sandwich", "lmtest"), function(p) paste(p, packageVersion(p)))), "versions.txt")
