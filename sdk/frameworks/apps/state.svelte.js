/** Return an object that a component follows. */
export const follow = (first) => {
  const state = $state(first);
  return state;
};
