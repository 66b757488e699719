//! Groups of things that lead to each other, each group after those it leads to.
//!
//! Tarjan's algorithm for strongly connected components, with a stack of its own: chains
//! of constants may be long. Knows nothing of what the things are.

/// The groups of the graph in which `edges[n]` are the nodes that `n` leads to.
pub(super) fn groups(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut number = vec![NEW; edges.len()];
    let mut lowest = vec![0; edges.len()];
    let mut waiting = vec![false; edges.len()];
    let (mut stack, mut groups, mut next) = (Vec::new(), Vec::new(), 0);
    for root in 0..edges.len() {
        if number[root] != NEW {
            continue;
        }
        // Nodes on the way here, with how many of their edges are done.
        let mut way = vec![(root, 0)];
        while let Some(last) = way.last_mut() {
            let node = last.0;
            if last.1 == 0 {
                (number[node], lowest[node], waiting[node]) = (next, next, true);
                next += 1;
                stack.push(node);
            }
            if let Some(&to) = edges[node].get(last.1) {
                last.1 += 1;
                if number[to] == NEW {
                    way.push((to, 0));
                } else if waiting[to] {
                    lowest[node] = lowest[node].min(number[to]);
                }
                continue;
            }
            way.pop();
            if let Some(&(parent, _)) = way.last() {
                lowest[parent] = lowest[parent].min(lowest[node]);
            }
            if lowest[node] == number[node] {
                let from = stack.iter().rposition(|&n| n == node).unwrap_or(0);
                let mut group = stack.split_off(from);
                group.iter().for_each(|&member| waiting[member] = false);
                group.sort_unstable();
                groups.push(group);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn what_is_led_to_comes_first_and_cycles_together() {
        let edges = [vec![1], vec![2, 3], vec![1], vec![], vec![4, 3], vec![0]];
        let edges: Vec<Vec<usize>> = edges.to_vec();
        assert_eq!(groups(&edges), [vec![3], vec![1, 2], vec![0], vec![4], vec![5]]);
    }

    #[test]
    fn long_chains_need_no_stack() {
        let edges: Vec<Vec<usize>> = (0..200_000).map(|n| vec![(n + 1) % 200_000]).collect();
        assert_eq!(groups(&edges).len(), 1);
    }
}
