"""The contributor reads how often its series were asked, on what grounds, and what came of it.

Rule (decision 0010): numbers come from the broker, are about, and name nobody: they are the broker's word. It checks
only that they are about series of this home.
"""

from broker.protocol.errors import VerificationFailed
from broker.protocol.messages.outcomes import Statistics
from broker.protocol.messages.parties import Space
from clients.depositing.series_folder import all_series
from clients.home import Home
from clients.transport import Caller


def read_statistics(home: Home, space: Space, caller: Caller) -> Statistics:
    """What the space's broker tells of this home's series in the space, in order of series and month.

    Raises VerificationFailed, Unreachable or RemoteProblem."""
    told = caller.within(space.space_id).get(f"{space.broker_origin}/v1/statistics", Statistics)
    every = {each.series_id: each.manifest.payload.space_id for each in all_series(home)}
    if not {month.series_id for month in told.months} <= set(every):
        raise VerificationFailed("The broker tells of a series that is not of this home. Tell the auditor.")
    own = tuple(month for month in told.months if every[month.series_id] == space.space_id)
    return told.model_copy(update={"months": own})
