# Golden values for tests/stats/test_stats_added_value.py. In the top folder: python -m tests.golden.added_value.data; then here: Rscript golden.R
# Debian packages r-base-core, r-cran-survival, r-cran-riskregression.
suppressMessages({library(survival); library(riskRegression); library(splines)})
options(digits = 17, warn = 1)
out <- list()
add <- function(...) {
  part <- list(...); values <- part[[length(part)]]
  out[[length(out) + 1]] <<- data.frame(quantity = paste(unlist(part[-length(part)]), collapse = " "), value = as.numeric(values))
}
tight <- coxph.control(eps = 1e-12, iter.max = 60, toler.chol = 1e-14)
horizons <- c(500.5, 1000.5, 2000.5); grid <- seq(200.5, 2001, 200); thresholds <- c(0.05, 0.1, 0.2, 0.35, 0.5, 0.9)

# concordance; a higher score should die sooner
cases <- read.csv("cases.csv", na.strings = "")
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]; d <- read.csv(paste0(case$data, ".csv")); scores <- strsplit(case$scores, " ")[[1]]
  until <- if (is.na(case$until)) NULL else case$until
  y <- if (is.na(case$entry)) Surv(d$time, d$event) else Surv(d[[case$entry]], d$time, d$event)
  s <- if (is.na(case$strata)) rep(1, nrow(d)) else d[[case$strata]]
  g <- if (is.na(case$cluster)) seq_len(nrow(d)) else d[[case$cluster]]
  for (weight in c("n", "n/G2")) {
    if (weight == "n/G2" && !is.na(case$entry)) next
    got <- lapply(scores, function(name) survival:::concordancefit(y, d[[name]], strata = s, cluster = g, ymax = until, timewt = weight, influence = 1, reverse = TRUE, keepstrata = TRUE))
    for (k in 1:2) add("concordance", case$case, weight, scores[k], c(got[[k]]$concordance, sqrt(got[[k]]$var)))
    both <- sapply(got, function(one) one$dfbeta); add("concordance covariance", case$case, weight, crossprod(both))
    b <- got[[1]]$concordance - got[[2]]$concordance; e <- sqrt(sum((both[, 1] - both[, 2])^2))
    add("concordance difference", case$case, weight, c(b, b + c(-1, 1) * qnorm(0.975) * e, 2 * pnorm(-abs(b / e))))
  }
}
# the same by R's own comparison of fits
d <- read.csv("pbc.csv"); f <- coxph(Surv(time, event) ~ log_bili, d); g <- coxph(Surv(time, event) ~ age, d); both <- concordance(f, g)
add("concordance of fits", c(both$concordance, both$var))

for (name in c("pbc", "rotterdam")) {
  d <- read.csv(paste0(name, ".csv")); x <- read.csv(paste0(name, "_risks.csv"))
  y <- Surv(d$time, d$event); base <- survfit(y ~ 1, conf.type = "log-log")
  for (k in seq_along(horizons)) {
    h <- horizons[k]; r <- list(a = x[[paste0("h", k - 1, "m0")]], b = x[[paste0("h", k - 1, "m1")]])
    s <- Score(r, Hist(time, event) ~ 1, data = d, times = h, metrics = c("auc", "brier"), summary = "ipa", se.fit = TRUE, contrasts = TRUE)
    a <- as.data.frame(s$AUC$score); add("auc", name, k - 1, t(a[, c("AUC", "se", "lower", "upper")]))
    b <- as.data.frame(s$AUC$contrasts); add("auc difference", name, k - 1, unlist(b[b$model == "b" & b$reference == "a", c("delta.AUC", "lower", "upper", "p")]))
    a <- as.data.frame(s$Brier$score); add("brier", name, k - 1, t(a[, c("Brier", "se", "lower", "upper")])); add("scaled brier", name, k - 1, a$IPA)
    b <- as.data.frame(s$Brier$contrasts); add("brier difference", name, k - 1, unlist(b[b$model == "b" & b$reference == "a", c("delta.Brier", "lower", "upper", "p")]))
    p <- r$a
    # calibration in the large, and of fifths
    at <- summary(base, times = h); add("large", name, k - 1, c(1 - at$surv, 1 - at$upper, 1 - at$lower) / mean(p))
    edges <- unique(quantile(p, 1:4 / 5)); group <- findInterval(p, edges, left.open = TRUE)
    for (one in sort(unique(group))) {
      at <- summary(survfit(y[group == one] ~ 1, conf.type = "log-log"), times = h)
      add("group", name, k - 1, one, c(mean(p[group == one]), 1 - at$surv, 1 - at$upper, 1 - at$lower, sum(group == one)))
    }
    # smooth curve: Cox on a natural spline of the complementary log-log risk
    z <- log(-log(1 - p)); knots <- quantile(z, 1:2 / 3)
    if (anyDuplicated(knots) || knots[1] <= min(z)) knots <- quantile(z[z > min(z)], 1:2 / 3)
    d$z <- z
    f <- coxph(y ~ ns(z, knots = knots, Boundary.knots = range(z)), d, control = tight, model = TRUE)
    q <- quantile(p, c(0.1, 0.5, 0.9)); at <- summary(survfit(f, newdata = data.frame(z = log(-log(1 - q))), conf.type = "log-log"), times = h)
    add("curve", name, k - 1, c(1 - at$surv, 1 - at$upper, 1 - at$lower))
    own <- 1 - summary(survfit(f, newdata = d, se.fit = FALSE), times = h)$surv; gap <- abs(as.numeric(own) - p)
    add("distance", name, k - 1, c(mean(gap), median(gap), quantile(gap, 0.9)))
    # net benefit
    alive <- summary(base, times = h)$surv
    for (t in thresholds) {
      high <- p >= t; odds <- t / (1 - t); benefit <- 0
      if (any(high)) { curve <- survfit(y[high] ~ 1); s1 <- if (max(curve$time) >= h) summary(curve, times = h)$surv else if (min(curve$surv) == 0) 0 else NA; benefit <- mean(high) * ((1 - s1) - s1 * odds) }
      add("benefit", name, k - 1, t, c(benefit, (1 - alive) - alive * odds, sum(high)))
    }
  }
  lp <- qlogis(x$h0m0); f <- coxph(y ~ lp, control = tight); e <- sqrt(f$var[1, 1]); b <- coef(f)
  add("slope", name, c(b, b + c(-1, 1) * qnorm(0.975) * e, 2 * pnorm(-abs((b - 1) / e))))
  # integrated over time from 0, trapezium rule
  score <- sapply(c("h0m0", "h0m1"), function(m) as.data.frame(Score(list(x[[m]]), Hist(time, event) ~ 1, data = d, times = grid, metrics = "brier", null.model = FALSE, se.fit = FALSE)$Brier$score)$Brier)
  t <- c(0, grid); add("integrated brier", name, apply(rbind(0, score), 2, function(v) sum(diff(t) * (head(v, -1) + tail(v, -1)) / 2) / max(t)))
}

# survival that a stratified model predicts, with its interval
d <- read.csv("pbc.csv"); f <- coxph(Surv(time, event) ~ age + log_bili + strata(sex), d, control = tight)
for (i in c(1, 7)) { at <- summary(survfit(f, newdata = d[i, ], conf.type = "log-log"), times = horizons); add("predicted", i - 1, c(at$surv, at$lower, at$upper)) }

# optimism of two models
d <- read.csv("small.csv"); samples <- read.csv("resampled.csv") + 1; h <- 1500.5
c_of <- function(data, lp) survival:::concordancefit(Surv(data$time, data$event), lp, reverse = TRUE)$concordance
# rounded, so that equal rows are ties on any machine
scores <- function(data, lp, risk) { lp <- round(lp, 10); risk <- round(risk, 10); s <- Score(list(m = risk), Hist(time, event) ~ 1, data = data, times = h, metrics = c("auc", "brier"), null.model = FALSE, se.fit = FALSE)
  c(c_of(data, lp), unname(coef(coxph(Surv(time, event) ~ lp, cbind(data, lp = lp), control = tight))), s$AUC$score$AUC, s$Brier$score$Brier) }
for (right in c("age", "age + nodes")) {
  measure <- function(fitted_to, seen) {
    f <- coxph(as.formula(paste("Surv(time, event) ~", right)), fitted_to, control = tight, x = TRUE)
    scores(seen, as.numeric(predict(f, newdata = seen, reference = "zero")), 1 - as.numeric(summary(survfit(f, newdata = seen, se.fit = FALSE), times = h)$surv))
  }
  add("apparent", right, measure(d, d))
  gaps <- sapply(samples, function(rows) measure(d[rows, ], d[rows, ]) - measure(d[rows, ], d))
  add("optimism", right, rowMeans(gaps))
}
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, sapply(c("survival", "riskRegression"), function(p) paste(p, packageVersion(p)))), "versions.txt")
