"""Where every estimate is made: arrays and frames in, arrays and frames out; no log, no words.

`proportions` (Wilson, clustered), `differences` (Newcombe, Holm), `odds`
(odds ratios, Mantel–Haenszel), `risk` (who is at risk when), `survival`,
`hazards`, `competing`, `logrank`, `bootstrap`.
"""
