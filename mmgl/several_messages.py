"""The words about several graphics cards and computers; part of the catalogue in ``mmgl.messages``."""

SEVERAL: dict[str, str] = {
    "ranks.cards": (
        "{processes} processes were started on this computer, which has {cards} graphics cards that can be used. Start "
        "as many as there are cards: --nproc-per-node={cards}"
    ),
    "ranks.batch": (
        "A step of this training has {slices} slices to share and there are {processes} processes. Start at most "
        "{slices}."
    ),
    "ranks.memory": (
        "The memory of process {rank} is too small for its share of the training. Close other programs that use its "
        "graphics card or start more processes, and go on with --resume."
    ),
    "ranks.lost": (
        "Another process of this training has ended, so process {rank} ends too. What was saved is kept: "
        "look for the reason above, and go on with --resume."
    ),
}
