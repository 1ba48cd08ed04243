/** A page of `docs/` as text: tests in workerd cannot read files. */
declare module "*.md?raw" {
  const text: string;
  export default text;
}
