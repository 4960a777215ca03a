"""What llmterm costs, measured against the bare libraries and against its own promises.

`python -m benchmarks` lists the benchmarks; `python -m benchmarks NAME` runs one and prints one table. Figures that
would depend on the machine are ratios to a baseline measured in alternation with ours; the rest are times that a
person or a crash would notice. Linux only; nothing here is part of the tests.
"""
