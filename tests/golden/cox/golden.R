# Golden values for tests/stats/test_stats_cox.py. In the top folder: python -m tests.golden.cox.data; then here: Rscript golden.R
# Debian packages r-base-core and r-cran-survival. Data sets of survival (LGPL) that no Python package ships are written
# as small TSV files: the rows and columns that the tests use, no more.
suppressMessages(library(survival))
options(digits = 17, warn = 1)
keep <- function(name, table, source) {
  con <- file(paste0(name, ".tsv"), "w")
  writeLines(paste("#", source), con)
  write.table(table, con, sep = "\t", row.names = FALSE, quote = FALSE)
  close(con)
}
v <- veteran
keep("veteran", data.frame(time = v$time, event = v$status, trt = v$trt - 1, squamous = +(v$celltype == "squamous"),
  smallcell = +(v$celltype == "smallcell"), adeno = +(v$celltype == "adeno"), karno = v$karno),
  "R survival::veteran (Kalbfleisch and Prentice 1980), 137 men of the Veterans' Administration lung cancer trial")
p <- pbc[1:312, ]
p <- p[complete.cases(p[, c("time", "status", "age", "edema", "bili", "albumin", "protime", "sex")]), ]
keep("pbc", data.frame(time = p$time, event = +(p$status == 2), age = round(p$age, 4), edema = p$edema, log_bili = round(log(p$bili), 6),
  albumin = p$albumin, log_protime = round(log(p$protime), 6), sex = +(p$sex == "f"), weight = 1 + (seq_len(nrow(p)) %% 3) / 2),
  "R survival::pbc (Therneau and Grambsch 2000), the 312 randomised; weight is made up for the test")
r <- rotterdam[seq(1, nrow(rotterdam), 3), ]
keep("rotterdam", data.frame(time = r$dtime, event = r$death, age = r$age, meno = r$meno, nodes = r$nodes, er = r$er, hormon = r$hormon),
  "R survival::rotterdam (Royston and Altman 2013), every third of 2,982 women")
k <- colon[colon$id <= 300, ]; k <- k[!is.na(k$node4), ]
keep("colon", data.frame(time = k$time, event = k$status, age = k$age, sex = k$sex, node4 = k$node4, lev5fu = +(k$rx == "Lev+5FU"),
  etype = k$etype, id = k$id, row = seq_len(nrow(k))),
  "R survival::colon (Moertel 1990), both events (recurrence, death) of the first 300 of 929 people")
f <- nafld1[1:2500, ]; f <- f[!is.na(f$bmi) & f$futime > 0, ]
keep("nafld", data.frame(age_in = f$age, time = f$age + f$futime / 365.25, event = f$status, male = f$male,
  nafld = +(f$id %in% f$case.id), bmi = round(f$bmi, 4)),
  "R survival::nafld1 (Allen 2018), the first 2,500 of 17,549 rows with a body mass index; time is attained age")

out <- list()
add <- function(...) {
  part <- list(...); values <- part[[length(part)]]
  out[[length(out) + 1]] <<- data.frame(quantity = paste(unlist(part[-length(part)]), collapse = " "), value = as.numeric(values))
}
tight <- coxph.control(eps = 1e-13, iter.max = 60, toler.chol = 1e-14)
cases <- read.csv("cases.csv", na.strings = "")
for (i in seq_len(nrow(cases))) {
  case <- cases[i, ]; name <- case$case
  tsv <- paste0(case$data, ".tsv")
  d <- if (file.exists(tsv)) read.delim(tsv, comment.char = "#") else read.csv(paste0(case$data, ".csv"))
  d$W <- if (is.na(case$weights)) 1 else d[[case$weights]]
  names <- strsplit(case$terms, " ")[[1]]
  left <- if (is.na(case$entry)) "Surv(time, event)" else paste0("Surv(", case$entry, ", time, event)")
  right <- paste(names, collapse = " + ")
  within <- if (is.na(case$strata)) "" else paste0(" + strata(", case$strata, ")")
  fitted <- function(right, robust = TRUE) {
    text <- paste(left, "~", right, within)
    if (robust && !is.na(case$cluster)) { d$G <- d[[case$cluster]]; coxph(as.formula(text), d, weights = W, cluster = G, control = tight, x = TRUE, robust = TRUE) }
    else coxph(as.formula(text), d, weights = W, control = tight, x = TRUE, robust = FALSE)
  }
  fit <- fitted(right); s <- summary(fit)
  error <- if (is.na(case$cluster)) "se(coef)" else "robust se"
  for (t in names) {
    add(name, t, "log_hazard_ratio", s$coefficients[t, "coef"]); add(name, t, "standard_error", s$coefficients[t, error])
    add(name, t, "p_value", s$coefficients[t, "Pr(>|z|)"])
    add(name, t, "ci_lower", s$conf.int[t, "lower .95"]); add(name, t, "ci_upper", s$conf.int[t, "upper .95"])
    if (!is.na(case$cluster)) add(name, t, "naive_error", s$coefficients[t, "se(coef)"])
  }
  add(name, "log_likelihood_null", fit$loglik[1]); add(name, "log_likelihood", fit$loglik[2])
  plain <- fitted(right, FALSE)
  if (is.na(case$cluster)) add(name, "covariance", as.vector(vcov(fit)))
  smaller <- fitted(paste(names[-length(names)], collapse = " + "), FALSE)
  a <- anova(smaller, plain); add(name, "lrt", c(a$Chisq[2], a$Df[2], a[2, 4]))
  for (g in c("km", "identity", "log", "rank")) {
    z <- cox.zph(plain, transform = g)
    for (t in rownames(z$table)) add(name, "zph", g, t, z$table[t, ])
    add(name, "zph points", g, "g", sort(z$x)[1:6]); for (t in names) add(name, "zph points", g, t, sort(z$y[, match(t, names)])[1:6])
  }
  if (!is.na(case$groups)) {
    groups <- strsplit(strsplit(case$groups, ";")[[1]], "=")
    parts <- sapply(groups, function(g) paste0("cbind(", gsub(" ", ", ", g[2]), ")"))
    grouped <- fitted(paste(parts, collapse = " + "), FALSE); z <- cox.zph(grouped, transform = "km")
    for (j in seq_along(groups)) {
      add(name, "zph groups", groups[[j]][1], z$table[j, ])
      add(name, "zph group points", groups[[j]][1], sort(z$y[, j])[1:6])
    }
  }
  rows <- c(1, 5, 17); last <- quantile(d$time, c(0.1, 0.3, 0.5, 0.8)); add(name, "times", last)
  for (j in rows) {
    q <- summary(survfit(plain, newdata = d[j, ]), times = last, extend = TRUE); add(name, "survival", j - 1, q$surv)
  }
  m <- residuals(plain, type = "martingale"); m[abs(m) < 1e-12] <- 0
  add(name, "martingale", "squares", sum(m^2)); add(name, "martingale", "first", m[1:4])
}
# Firth's penalty (Heinze and Schemper 2001). coxphf is not in Debian, so the penalised likelihood is taken from coxph at
# fixed coefficients (iter.max = 0), its slope by a five-point stencil, its top by steps of slope over information.
firth <- function(name, formula, d, names) {
  at <- function(b) coxph(formula, d, init = b, control = coxph.control(iter.max = 0))
  value <- function(b) { f <- at(b); f$loglik[2] - as.numeric(determinant(vcov(f))$modulus) / 2 }
  slope <- function(b, j, h = 2e-3 * sqrt(vcov(at(b))[j, j])) {
    e <- replace(0 * b, j, h); (value(b - 2 * e) - 8 * value(b - e) + 8 * value(b + e) - value(b + 2 * e)) / (12 * h)
  }
  top <- function(b, free) {
    for (k in 1:200) {
      if (!length(free)) break
      s <- solve(solve(vcov(at(b)))[free, free, drop = FALSE], sapply(free, function(j) slope(b, j)))
      b[free] <- b[free] + s
      if (max(abs(s)) < 1e-11) break
    }
    b
  }
  all <- seq_along(names); b <- top(0 * all, all); best <- value(b); se <- sqrt(diag(vcov(at(b))))
  add(name, "log_likelihood", best); add(name, "log_likelihood_null", value(0 * b))
  for (j in all) {
    held <- function(x) value(top(replace(b, j, x), setdiff(all, j)))
    end <- function(side) uniroot(function(x) held(x) - best + qchisq(0.95, 1) / 2, sort(b[j] + side * se[j] * c(0.5, 6)), tol = 1e-11)$root
    add(name, names[j], c(b[j], se[j], exp(b[j]), exp(end(-1)), exp(end(1)), pchisq(2 * (best - held(0)), 1, lower.tail = FALSE)))
  }
}
s <- read.csv("separated.csv"); f <- read.csv("few.csv")
firth("firth_separated", Surv(time, event) ~ group + x, s, c("group", "x"))
firth("firth_entry", Surv(start, time, event) ~ group + x, s, c("group", "x"))
firth("firth_few", Surv(time, event) ~ karno + adeno + strata(trt), f, c("karno", "adeno"))
# a model per gene beside the same covariates
g <- read.csv("genes.csv")
for (k in 0:39) {
  gene <- paste0("g", k)
  row <- function(f) summary(f)$coefficients[1, c(1, 3, 5)]
  add("genes", k, row(coxph(as.formula(paste("Surv(time, event) ~", gene, "+ age + sex")), g, control = tight)))
  add("genes late", k, row(coxph(as.formula(paste("Surv(start, time, event) ~", gene, "+ age + strata(stratum)")), g, control = tight)))
}
write.table(do.call(rbind, out), "golden.tsv", sep = "\t", row.names = FALSE, quote = FALSE)
writeLines(c(R.version.string, paste("survival", packageVersion("survival"))), "versions.txt")
