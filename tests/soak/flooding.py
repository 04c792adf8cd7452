def floods(lab, tally, binary, seconds):
    pass
