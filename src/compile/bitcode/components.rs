//! Digests over what refers to what, where references may go round in circles.
//!
//! Finds the strongly connected components of a graph, those first that refer to no others.
//! Without recursion: chains of references can be as long as a module.

use super::digest::{Content, Digest};

/// For each node those it refers to, in an order that belongs to its content.
#[derive(Default)]
pub(super) struct Graph {
    edges: Vec<u32>,
    ends: Vec<u32>,
}

impl Graph {
    /// Adds the next node.
    pub fn push(&mut self, to: impl IntoIterator<Item = u32>) {
        self.edges.extend(to);
        self.ends.push(self.edges.len() as u32);
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    pub fn of(&self, node: usize) -> &[u32] {
        let start = if node == 0 { 0 } else { self.ends[node - 1] as usize };
        &self.edges[start..self.ends[node] as usize]
    }

    /// Calls `take` for every component; `true` if its nodes refer to each other or themselves.
    /// Nodes that are referred to have been taken before.
    pub fn components<E>(&self, mut take: impl FnMut(&[u32], bool) -> Result<(), E>) -> Result<(), E> {
        const NEW: u32 = u32::MAX;
        let count = self.len();
        let mut order = vec![NEW; count];
        let mut low = vec![NEW; count];
        let mut done = vec![false; count];
        let (mut next, mut path, mut stack) = (0, Vec::new(), Vec::new());
        for root in 0..count as u32 {
            if order[root as usize] != NEW {
                continue;
            }
            path.push((root, 0));
            while let Some((node, edge)) = path.last_mut() {
                let at = *node as usize;
                if order[at] == NEW {
                    (order[at], low[at]) = (next, next);
                    next += 1;
                    stack.push(*node);
                }
                *edge += 1;
                if let Some(to) = self.of(at).get(*edge - 1).map(|to| *to as usize) {
                    if to >= count {
                    } else if order[to] == NEW {
                        path.push((to as u32, 0));
                    } else if !done[to] {
                        low[at] = low[at].min(order[to]);
                    }
                    continue;
                }
                path.pop();
                if let Some((parent, _)) = path.last() {
                    low[*parent as usize] = low[*parent as usize].min(low[at]);
                }
                if low[at] == order[at] {
                    let start = stack.iter().rposition(|n| *n as usize == at).unwrap_or(0);
                    for member in &stack[start..] {
                        done[*member as usize] = true;
                    }
                    let circular = stack.len() - start > 1 || self.of(at).contains(&(at as u32));
                    take(&stack[start..], circular)?;
                    stack.truncate(start);
                }
            }
        }
        Ok(())
    }

    /// For each node a digest of its content and, transitively, that of what it refers to;
    /// `None` if any of that has none. Names tell the nodes of a circle apart.
    ///
    /// With `before`, the digests of another version of the same nodes: those nodes that `stay`
    /// have the content and the references that they had then, and their digest too if nothing
    /// that they lead to has another one.
    pub fn deep(
        &self,
        own: &dyn Fn(usize) -> Option<Digest>,
        names: &[&str],
        before: Option<(&[Option<Digest>], &[bool])>,
    ) -> Vec<Option<Digest>> {
        let mut deep: Vec<Option<Digest>> = vec![None; self.len()];
        let mut content = Content::default();
        let mut within = vec![u32::MAX; self.len()];
        let done = self.components::<()>(|members, circular| {
            members.iter().for_each(|member| within[*member as usize] = members[0]);
            if let Some((before, stay)) = before {
                // A circle that was larger, or not there, has a node in it or behind it that
                // does not stay.
                let inside = |to: usize| circular && within[to] == members[0];
                let same = |to: usize| inside(to) || deep[to] == before[to];
                let stays = |at: usize| stay[at] && self.of(at).iter().all(|to| same(*to as usize));
                if members.iter().all(|at| stays(*at as usize)) {
                    members.iter().for_each(|at| deep[*at as usize] = before[*at as usize]);
                    return Ok(());
                }
            }
            let mut members = members.to_vec();
            members.sort_unstable_by_key(|member| names[*member as usize]);
            let mut known = true;
            for member in &members {
                within[*member as usize] = members[0];
                // A circle of what has no name cannot be told from others.
                known &= !circular || !names[*member as usize].is_empty();
            }
            for member in &members {
                let at = *member as usize;
                let own = own(at);
                known &= own.is_some();
                content.digest(own.unwrap_or_default());
                if circular {
                    content.bytes(names[at].as_bytes());
                }
                content.number(self.of(at).len() as u64);
                for to in self.of(at) {
                    if circular && within[*to as usize] == members[0] {
                        content.number(1);
                        content.bytes(names[*to as usize].as_bytes());
                    } else {
                        let digest = deep[*to as usize];
                        known &= digest.is_some();
                        content.number(0);
                        content.digest(digest.unwrap_or_default());
                    }
                }
            }
            let digest = content.finish();
            for member in members {
                if circular {
                    content.bytes(names[member as usize].as_bytes());
                }
                content.digest(digest);
                let of_member = content.finish();
                deep[member as usize] = known.then_some(of_member);
            }
            Ok(())
        });
        debug_assert!(done.is_ok());
        deep
    }
}
