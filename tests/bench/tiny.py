"""The smallest benchmark that has every part."""

from saccade.bench.plan import Plan, plan


def tiny() -> Plan:
    """The digits' plan with little networks, one epoch, few sizes and a blink of timing; RAM on two seeds."""
    chosen = plan("digits")
    contestants = []
    for contestant in chosen.contestants:
        if contestant.name in ("ram-2", "ram-6", "window-6", "fc", "cnn", "ram-6-mixed"):
            train = {**contestant.settings["train"], "epochs": 1, "batch_size": 256}
            small = {"hidden": 16, "features": 16} if contestant.system == "glimpse" else {"hidden": 16}
            settings = {**contestant.settings, "train": train, "model": {**contestant.settings["model"], **small}}
            seeds = (0, 1) if contestant.name == "ram-2" else (0,)
            contestants.append(contestant._replace(settings=settings, seeds=seeds))
    sizes = (28, 60, 400)
    return Plan("digits", False, tuple(contestants), sizes, seconds=0.2, largest_batch=16, examples=200)
