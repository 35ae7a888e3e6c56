# requirement: networkx
# imports: networkx
import networkx

graph = networkx.path_graph(5)
assert networkx.shortest_path(graph, 0, 4) == [0, 1, 2, 3, 4]
assert round(networkx.betweenness_centrality(graph)[2], 3) == 0.667
