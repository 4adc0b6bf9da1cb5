# Golden values for tests/stats/test_stats_associations.py. In the top folder: python -m tests.golden.associations.data; then here:
# Rscript golden.R. Debian packages r-base-core, r-cran-sandwich, r-cran-lmtest, r-cran-emmeans, r-cran-car, r-cran-metafor, r-cran-mice.
suppressMessages({library(sandwich); library(lmtest); library(emmeans); library(car); library(metafor); library(mice); library(splines)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
d <- read.csv("voters.csv")
d$party <- factor(d$party, levels = c("democrat", "independent", "republican"))
d$vote <- factor(d$vote); d$news_group <- cut(d$news, c(-1, 2, 5, 7), labels = c("few", "some", "daily"))
m <- lm(income ~ party + age + schooling + news_group, d)
v <- vcovHC(m, type = "HC3")
# marginal means: equal weights over news_group, age and schooling at their means
e <- emmeans(m, "party", vcov. = v)
s <- as.data.frame(summary(e))
for (i in seq_len(nrow(s))) add(paste("mean", s$party[i]), c(s$emmean[i], s$SE[i], s$lower.CL[i], s$upper.CL[i]))
p <- as.data.frame(summary(contrast(e, "revpairwise"), infer = TRUE, adjust = "none"))
for (i in seq_len(nrow(p))) add(paste("pair", p$contrast[i]), c(p$estimate[i], p$SE[i], p$lower.CL[i], p$upper.CL[i], p$p.value[i]))
add("pair holm", p.adjust(p$p.value, "holm")); add("pair bh", p.adjust(p$p.value, "BH"))
z <- as.data.frame(summary(eff_size(e, sigma = sigma(m), edf = df.residual(m), method = "revpairwise"), infer = TRUE))
for (i in seq_len(nrow(z))) add(paste("effect", z$contrast[i]), c(z$effect.size[i], z$lower.CL[i], z$upper.CL[i]))
h <- linearHypothesis(m, c("partyindependent = 0", "partyrepublican = 0"), vcov. = v)
add("wald party", c(h$F[2], -diff(h$Res.Df), h$Res.Df[2], h$`Pr(>F)`[2]))
m0 <- update(m, . ~ . - party)
a <- anova(m0, m); F <- a$F[2]; k <- a$Df[2]
add("variance share", c(F * k / (F * k + df.residual(m)), k * (F - 1) / (k * (F - 1) + nobs(m))))
# interaction of a factor with a factor and with a number
i <- lm(income ~ party * vote + age, d); b <- grep(":", names(coef(i)), value = TRUE)
h <- linearHypothesis(i, paste(b, "= 0"), vcov. = vcovHC(i, type = "HC3")); add("interaction vote", c(h$F[2], length(b), h$Res.Df[2], h$`Pr(>F)`[2]))
terms <- function(i, b) { e <- sqrt(diag(vcovHC(i, type = "HC3")))[b]; k <- coef(i)[b]; c(rbind(k, k - qt(0.975, i$df.residual) * e, k + qt(0.975, i$df.residual) * e, e)) }
add("interaction terms vote", terms(i, b))
i <- lm(income ~ party * age + schooling, d); b <- grep(":", names(coef(i)), value = TRUE)
h <- linearHypothesis(i, paste(b, "= 0"), vcov. = vcovHC(i, type = "HC3")); add("interaction age", c(h$F[2], length(b), h$Res.Df[2], h$`Pr(>F)`[2]))
add("interaction terms age", terms(i, b))
# Hedges' g of two groups of unequal size
x <- d$income[d$party == "democrat"]; y <- d$income[d$party == "republican"]
g <- escalc(measure = "SMD", m1i = mean(x), m2i = mean(y), sd1i = sd(x), sd2i = sd(y), n1i = length(x), n2i = length(y))
add("hedges g", c(g$yi, g$yi - qnorm(0.975) * sqrt(g$vi), g$yi + qnorm(0.975) * sqrt(g$vi)))
w <- t.test(x, y); add("welch", c(-diff(w$estimate), w$conf.int, w$p.value))
# natural spline: the curvature's Wald test, the likelihood ratio test, and fitted values
n <- lm(income ~ ns(age, 3) + schooling, d); l <- lm(income ~ age + schooling, d)
add("spline fitted", head(fitted(n), 20)); add("spline rss", deviance(n))
r <- 2 * (logLik(n) - logLik(l)); add("spline lrt", c(r, pchisq(r, 2, lower.tail = FALSE)))
B <- ns(d$age, 3); f <- lm(income ~ age + B[, 2] + B[, 3] + schooling, d)
h <- waldtest(l, f, vcov = vcovHC(f, type = "HC3")); add("spline wald", c(h$F[2], h$Df[2], h$Res.Df[2], h$`Pr(>F)`[2]))
at <- c(30, 60); N <- cbind(1, predict(ns(d$age, 3), at), mean(d$schooling)); L <- N[2, ] - N[1, ]
V <- vcovHC(n, type = "HC3"); add("spline difference", c(sum(L * coef(n)), sqrt(drop(L %*% V %*% L))))
# quadratic and its turning point
q <- lm(income ~ age + I(age^2) + schooling, d); V <- vcovHC(q, type = "HC3")
k <- deltaMethod(q, "-b1 / (2 * b2)", vcov. = V, parameterNames = c("b0", "b1", "b2", "b3"))
half <- qt(0.975, df.residual(q)) * k$SE
add("turning point", c(k$Estimate, k$Estimate - half, k$Estimate + half)); add("quadratic", coeftest(q, V)[3, 4] )
# trend over ordered groups, and what groups tell beyond it
d$score <- as.numeric(d$party) - 1
t1 <- lm(income ~ score + age, d); ct <- coeftest(t1, vcovHC(t1, type = "HC3")); add("trend", c(ct[2, 1], ct[2, 4]))
t2 <- lm(income ~ score + I(party == "independent") + age, d); add("departure", coeftest(t2, vcovHC(t2, type = "HC3"))[3, 4])
# pooling of given estimates
c10 <- read.csv("completed.csv")
o <- pool.scalar(c10$estimate, c10$error^2, n = 100, k = 4)
half <- qt(0.975, o$df) * sqrt(o$t)
add("pool", c(o$qbar, sqrt(o$t), o$qbar - half, o$qbar + half, 2 * pt(abs(o$qbar) / sqrt(o$t), o$df, lower.tail = FALSE), o$df, o$fmi))
# mice::pool over real fits of a completed table: the first 30 incomes miss schooling, which fixed draws replace
fits <- lapply(1:5, function(j) { e <- d; e$schooling[1:30] <- (1:30 * j) %% 7 + 1; lm(income ~ schooling + age, e) })
o <- summary(pool(as.mira(fits)), conf.int = TRUE)
add("pool fits", unlist(o[2, c("estimate", "std.error", "2.5 %", "97.5 %", "p.value", "df")]))
# standardised differences by their formula
smd <- function(x, t) (mean(x[t]) - mean(x[!t])) / sqrt((var(x[t]) + var(x[!t])) / 2)
add("smd age", smd(d$age, d$vote == "dole")); pr <- tapply(d$party == "democrat", d$vote, mean)
add("smd democrat", (pr[["dole"]] - pr[["clinton"]]) / sqrt((pr[["dole"]] * (1 - pr[["dole"]]) + pr[["clinton"]] * (1 - pr[["clinton"]])) / 2))
# paired differences with the remaining difference of age held constant
a <- d[1:60, ]; b <- d[61:120, ]; u <- a$income - b$income; w <- a$age - b$age
t3 <- lm(u ~ w); V <- vcovHC(t3, type = "HC3"); ci <- coefci(t3, vcov. = V); add("paired", c(coef(t3)[1], ci[1, ], coeftest(t3, V)[1, 4]))
# E-value by the formulas of VanderWeele and Ding 2017
ev <- function(r) { r <- max(r, 1 / r); r + sqrt(r * (r - 1)) }
dd <- 4.79 / 8.2; se <- 0.35 / 8.2
add("e value", c(ev(exp(0.91 * dd)), ev(exp(0.91 * dd - 1.78 * se)), exp(0.91 * dd)))
add("e value across", c(ev(exp(-0.91 * 0.05)), 1, exp(-0.91 * 0.05)))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("sandwich", "lmtest", "emmeans", "car", "metafor", "mice"), function(p) paste(p, packageVersion(p)))), "versions.txt")
