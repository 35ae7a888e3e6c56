# requirement: tqdm
# imports: tqdm
import tqdm

assert sum(tqdm.tqdm(range(100), disable=False)) == 4950
