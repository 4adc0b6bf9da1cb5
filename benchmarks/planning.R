# R's side of benchmarks/planning.py: simulated studies and a loop over coxph; prints CPU seconds and power as JSON.
suppressMessages(library(survival))
arguments <- as.numeric(commandArgs(TRUE)); n <- arguments[1]; repeats <- arguments[2]
set.seed(1)
spent <- system.time({
  p <- replicate(repeats, {
    x <- rnorm(n); death <- rexp(n) / (0.2 * exp(0.15 * x)); end <- 2 + 3 * runif(n)
    summary(coxph(Surv(pmin(death, end), death <= end) ~ x))$sctest["pvalue"]
  })
}, gcFirst = TRUE)
cat(sprintf('{"seconds": %.17g, "power": %.17g}\n', sum(spent[c("user.self", "sys.self")]), mean(p < 0.05)))
