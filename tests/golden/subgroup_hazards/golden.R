# Golden values for tests/analyses/test_subgroup_hazards.py. In the top folder: python -m tests.golden.subgroup_hazards.data; then here:
# Rscript golden.R. Debian packages r-base-core, r-cran-survival.
suppressMessages(library(survival))
options(digits = 17, warn = 1)
out <- list()
add <- function(...) {
  part <- list(...); values <- part[[length(part)]]
  out[[length(out) + 1]] <<- data.frame(quantity = paste(unlist(part[-length(part)]), collapse = " "), value = as.numeric(values))
}
tight <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
d <- read.csv("people.csv")
d$site <- factor(d$site, levels = c("other", "breast", "lung", "throat")); d$sex <- factor(d$sex, levels = c("female", "male"))
d$acc <- d$age_acceleration / 10; d$age <- d$chronological_age / 10
d$band <- factor(ifelse(d$chronological_age < 65, "under 65", "65 and over"), levels = c("under 65", "65 and over"))
d$Y <- with(d, Surv(followup_years, event))
held <- list(age = "age", full = "age + sex + site + ecog")
tested <- function(smaller, larger) { a <- anova(smaller, larger); c(a$Chisq[2], abs(a$Df[2]), a[2, 4]) }
for (s in names(held)) {
  p <- c()
  for (m in c("sex", "band", "site")) {
    fit <- function(x) coxph(as.formula(paste("Y ~", x, "+", m, "+", held[[s]])), d, control = tight, ties = "efron")
    larger <- fit(paste0("acc:", m)); k <- summary(larger)$conf.int
    for (l in levels(d[[m]])) {
      # without a main effect of acc, R gives each level a coefficient of its own
      add(s, m, l, k[grepl("acc", rownames(k)) & grepl(paste0(m, l, "($|:)"), rownames(k)), c("exp(coef)", "lower .95", "upper .95")])
      use <- d[[m]] == l & (s == "age" | !is.na(d$ecog)); add(s, m, l, "counts", c(sum(use), sum(d$event[use])))
    }
    add(s, m, "test", tested(fit("acc"), larger)); p <- c(p, tested(fit("acc"), larger)[3])
    if (m != "band") {
      k <- summary(fit(paste0("acc +", m, "+ acc:", m)))$conf.int
      for (l in levels(d[[m]])[-1]) add(s, m, "ratio", l, k[grepl("acc", rownames(k)) & grepl(paste0(m, l, "($|:)"), rownames(k)), c("exp(coef)", "lower .95", "upper .95")])
    }
    if (m == "band") {
      one <- coxph(as.formula(paste("Y ~ acc +", held[[s]])), d, control = tight); both <- update(one, . ~ . + acc:age)
      v <- summary(both)$conf.int["acc:age", c("exp(coef)", "lower .95", "upper .95")]
      add(s, "number", v); add(s, "number", "test", tested(one, both)); p <- c(p, tested(one, both)[3])
    }
  }
  add(s, "q", p.adjust(p, "BH"))
}
# strata by the modifier itself, and errors robust by hospital
add("strata", "test", tested(coxph(Y ~ acc + age + strata(sex), d, control = tight), coxph(Y ~ acc:sex + age + strata(sex), d, control = tight)))
k <- summary(coxph(Y ~ acc:sex + age + sex, d, cluster = hospital, control = tight))$conf.int
for (l in levels(d$sex)) add("cluster", l, k[grepl("acc", rownames(k)) & grepl(paste0("sex", l), rownames(k)), c("exp(coef)", "lower .95", "upper .95")])
k <- summary(coxph(Y ~ acc * sex + age, d, cluster = hospital, control = tight))$conf.int
add("cluster", "ratio", "male", k["acc:sexmale", c("exp(coef)", "lower .95", "upper .95")])
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival"))), "versions.txt")
