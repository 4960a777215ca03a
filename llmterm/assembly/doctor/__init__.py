"""What is where, what works, and what to do about the rest: the findings behind `llmterm doctor` and `/doctor`.

Nothing is changed, nothing is written but questions to a terminal, and no key is ever in a finding. Whatever is broken
is a finding like the others; the probes know nothing of each other.
"""

from llmterm.assembly.doctor.check import Check, State, exit_code, lines
from llmterm.assembly.doctor.examination import examine

__all__ = ["Check", "State", "examine", "exit_code", "lines"]
