"""The words that tables of claims are written in: one list each, for what writes them and for what reads them."""

from typing import Literal, get_args

#: What the runs say of a claim, in the order of tables. A claim of the paper (or of another paper, for what it proposes) is
#: reproduced or not; what no paper claims holds or does not.
Verdict = Literal["reproduced", "holds", "no difference", "not reproduced", "does not hold", "inconclusive", "not run"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: Where the distance of a mean from its threshold lies, beside the smallest relevant one.
Size = Literal["within", "beyond", "either"]
#: Whether a test and its margin were committed before the runs that judge it.
Fixed = Literal["before", "test before, margin after", "after", "not known"]
