"""How fast rentpay is, as ratios to something that everybody knows, measured side by side in one run.

`python -m tests.benchmarks` measures everything; names of groups choose some; `--quick` only shows that it runs. What
is measured is an installed wheel, with its bytecode, in an environment of its own. Whatever is compared runs in turn,
A B A B, and the figure is the median of the ratios of the pairs, so that a machine that is slow for a while is slow for
both. Figures are not tests: they depend on the machine, so that they are read by people and kept out of the test run.
"""
