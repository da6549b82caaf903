/**
 * Returns the strongly connected components of a graph, each after those that it leads to (Tarjan's algorithm). Several
 * nodes share a component if each leads to the other.
 */
export function components<Node>(
  nodes: readonly Node[],
  targetsOf: (node: Node) => readonly Node[],
): Node[][] {
  const found: Node[][] = []
  const numbers = new Map<Node, number>()
  const lowest = new Map<Node, number>()
  const open: Node[] = []
  const finished = new Set<Node>()
  const close = (node: Node) => {
    const component = open.splice(open.lastIndexOf(node))
    for (const member of component) finished.add(member)
    found.push(component)
  }
  for (const start of nodes) {
    // A list of steps instead of recursion, because tables may refer to each other in a chain of thousands.
    const path: { node: Node; rest: Node[] }[] = []
    const enter = (node: Node) => {
      numbers.set(node, numbers.size)
      lowest.set(node, numbers.get(node)!)
      open.push(node)
      path.push({ node, rest: [...targetsOf(node)] })
    }
    if (!numbers.has(start)) enter(start)
    for (let step = path.at(-1); step; step = path.at(-1)) {
      const { node, rest } = step
      const target = rest.pop()
      if (target !== undefined) {
        if (!numbers.has(target)) enter(target)
        else if (!finished.has(target)) lowest.set(node, Math.min(lowest.get(node)!, numbers.get(target)!))
        continue
      }
      path.pop()
      if (lowest.get(node) === numbers.get(node)) close(node)
      const parent = path.at(-1)?.node
      if (parent !== undefined && !finished.has(node))
        lowest.set(parent, Math.min(lowest.get(parent)!, lowest.get(node)!))
    }
  }
  return found
}
