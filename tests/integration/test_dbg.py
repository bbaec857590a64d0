import time
def test_x(migration):
    one = migration("given-up", "seed_bulk")
    one.provision()
    b=time.time()
    r=one.module("migration", wait=False, max_bytes_per_second=400000).good()
    print("returned",time.time()-b, r["state"])
    for i in range(12):
        print(round(time.time()-b,1), one.share(), one.engine(), one.journal("select label,state,bytes_done,attempts,error from unit where state<>\"pending\"")); time.sleep(1.5)
        if one.engine() is None: break
    print(one.events(), open(one.private/"engine.log").read())
