"""Statistics: arrays in, arrays out; nothing here knows a column, a file or a characteristic.

one_group       proportion, count, rate, mean, quantile, standardised rates, life expectancy
two_groups      differences and ratios with limits, tests, strata, part and whole
many_groups     omnibus tests, trend, multiplicity, shares against a population
inequality      one number for a whole population, and its change
units           funnels, overdispersion, shrinkage, control charts
intersections   joint effects of two characteristics, many strata by a multilevel model
adjustment      groups compared with other things held equal
judgement       flags, power, equivalence, what the unknown could do
answers         the shapes of the answers
contracts       what every statistic asks of its input

Each of these eight folders is a door: `from equitydata.stats.two_groups import risk_ratio`.
docs/methods.md says when to use each, how to read it, and where it is from.
"""
