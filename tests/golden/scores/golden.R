# Golden values for tests/analyses/test_scores.py. In the top folder: python -m tests.golden.scores.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-survival, r-cran-riskregression. The score is written here anew, from the publication's rule.
suppressMessages({library(survival); library(riskRegression)})
options(digits = 17)
out <- list()
add <- function(name, values) out[[length(out) + 1]] <<- data.frame(quantity = name, value = as.numeric(values))
d <- read.csv("people.csv"); y <- Surv(d$followup_years, d$event)
# who is censored exactly at a horizon is known to be alive at it; riskRegression would leave him out
later <- d; at <- d$event == 0 & d$followup_years %in% c(0.25, 0.5, 1); later$followup_years[at] <- later$followup_years[at] + 1e-6
others <- function(courses) {
  (!(d$primary_cancer %in% c("breast", "prostate"))) + (d$ecog >= 2) + courses + (d$hospitalisations_3_months >= 1) + (d$liver_metastases > 0)
}
k <- sum(d$chronological_age > 60); above <- sort(d$face_age, decreasing = TRUE); cut <- (above[k] + above[k + 1]) / 2
add("cut", c(cut, k, sum(d$face_age > cut), sum(d$face_age > 60)))
rules <- list(publication = others(d$chemotherapy_courses >= 2), repository = others(d$chemotherapy_courses > 2))
points <- list(age = d$chronological_age > 60, fixed = d$face_age > 60, matched = d$face_age > cut)
for (rule in names(rules)) {
  totals <- lapply(points, function(p) rules[[rule]] + p)
  groups <- lapply(totals, function(s) cut(s, c(-1, 1, 4, 6), labels = c("A", "B", "C")))
  for (v in names(points)) {
    name <- paste(rule, v); s <- totals[[v]]; g <- groups[[v]]
    add(paste(name, "total"), s)
    add(paste(name, "n"), table(g))
    add(paste(name, "deaths"), tapply(d$event, g, sum))
    m <- summary(survfit(y ~ g, conf.type = "log-log"))$table
    add(paste(name, "median"), t(m[, c("median", "0.95LCL", "0.95UCL")]) * 12)
    fit <- summary(coxph(y ~ relevel(g, "B")))
    add(paste(name, "cox"), t(cbind(fit$conf.int[, c(1, 3, 4)], fit$coefficients[, 5])))
    add(paste(name, "C"), concordance(y ~ s, reverse = TRUE)$concordance)
    a <- as.data.frame(Score(list(s = as.numeric(s)), Hist(followup_years, event) ~ 1, data = later, times = c(0.25, 0.5, 1), metrics = "auc", se.fit = FALSE, null.model = FALSE)$AUC$score)
    add(paste(name, "AUC"), a$AUC)
    if (v != "age") { add(paste(name, "moves"), t(table(groups$age, g))); add(paste(name, "points"), c(sum(points$age & points[[v]]), sum(!points$age & !points[[v]]), sum(!points$age & points[[v]]), sum(points$age & !points[[v]]))) }
  }
  x <- rules[[rule]]; a <- d$chronological_age / 10; f <- d$face_age / 10
  one <- coxph(y ~ x + a); other <- coxph(y ~ x + f); both <- coxph(y ~ x + a + f)
  for (fit in list(one, other)) add(paste(rule, "continuous"), t(cbind(summary(fit)$conf.int[, c(1, 3, 4)], summary(fit)$coefficients[, 5])))
  add(paste(rule, "continuous C"), c(concordance(one)$concordance, concordance(other)$concordance))
  for (fit in list(one, other)) add(paste(rule, "LRT"), unlist(anova(fit, both)[2, c("Chisq", "Pr(>|Chi|)")]))
}
entry <- ifelse(seq_len(nrow(d)) %% 2 == 1, round(d$followup_years / 3, 2), 0); s <- rules$publication + points$age
add("late C", concordance(Surv(entry, d$followup_years, d$event) ~ s, reverse = TRUE)$concordance)
g <- cut(s, c(-1, 1, 4, 6), labels = c("A", "B", "C")); late <- Surv(entry, d$followup_years, d$event)
add("late median", t(summary(survfit(late ~ g, conf.type = "log-log"))$table[, c("median", "0.95LCL", "0.95UCL")]) * 12)
fit <- summary(coxph(late ~ relevel(g, "B")))
add("late cox", t(cbind(fit$conf.int[, c(1, 3, 4)], fit$coefficients[, 5])))
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("survival", "riskRegression"), function(p) paste(p, packageVersion(p)))), "versions.txt")
