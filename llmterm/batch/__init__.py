"""Many questions, asked at once as far as limits allow, whose answers go into a file as they come.

`questions` reads them, `results` keeps what has become of them, `batch` has an engine answer them; `tally` counts.
"""
