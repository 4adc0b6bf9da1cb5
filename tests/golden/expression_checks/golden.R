# Golden values for tests/analyses/test_expression_quality.py and tests/analyses/test_expression_sensitivity.py.
# Here: python -m tests.golden.expression_checks.data; Rscript golden.R. Debian packages r-base-core, r-cran-sandwich.
options(digits = 17)
library(sandwich)
d <- read.csv("voters.csv")
rows <- list()
put <- function(what, value) rows[[length(rows) + 1]] <<- data.frame(what = what, value = unname(value))
outcomes <- c("income", "liking_clinton", "liking_dole", "own_place", "news")
y <- as.matrix(d[outcomes])

# R squared and F test; eta squared of an analysis of variance; Cramer's V
for (o in outcomes[1:3]) {
  for (term in c("age", "party")) {
    fit <- lm(d[[o]] ~ d[[term]])
    put(paste("r2", o, term), summary(fit)$r.squared)
    put(paste("p", o, term), anova(fit)$"Pr(>F)"[1])
  }
}
t <- table(d$party, d$vote)
chi <- suppressWarnings(chisq.test(t, correct = FALSE))
put("v party vote", sqrt(unname(chi$statistic) / sum(t) / (min(dim(t)) - 1)))
put("p party vote", chi$p.value)

# principal components
pc <- prcomp(y)
for (k in 1:2) {
  put(paste("pc share", k), pc$sdev[k]^2 / sum(pc$sdev^2))
  for (i in 1:3) put(paste("pc", k, i), abs(pc$x[i, k]))
}

# hidden components: svd of residuals of the model with and without age; sign-free
full <- lm(y ~ age + schooling + party, d)
reduced <- lm(y ~ schooling + party, d)
for (m in c("full", "reduced")) {
  u <- svd(resid(get(m)))$u
  for (k in 1:2) for (i in 1:3) put(paste("u", m, k, i), abs(u[i, k]))
  one <- lm(d$income ~ age + schooling + party + u[, 1:2], d)
  put(paste("hidden", m), coef(one)["age"])
  put(paste("hidden se", m), sqrt(vcovHC(one, "HC3")["age", "age"]))
}

# leave one out
one <- lm(income ~ age + schooling + party, d)
drop <- coef(one)["age"] - dfbeta(one)[, "age"]
put("loo lowest", min(drop))
put("loo highest", max(drop))
put("loo shift", max(abs(dfbeta(one)[, "age"])) / sqrt(vcovHC(one, "HC3")["age", "age"]))
put("loo cook", max(cooks.distance(one)))
put("loo leverage", max(hatvalues(one)))

# mediation by difference: with and without the mediator
put("total", coef(lm(income ~ age + schooling, d))["age"])
put("direct", coef(one)["age"])
# the same by products of coefficients
a <- sapply(c("independent", "republican"), function(w) coef(lm(as.numeric(d$party == w) ~ age + schooling, d))["age"])
put("product", sum(a * coef(one)[c("partyindependent", "partyrepublican")]))

write.table(do.call(rbind, rows), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("sandwich", packageVersion("sandwich"))), "versions.txt")
