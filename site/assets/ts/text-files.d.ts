// Style sheets and JSON are bundled as they are; see the loaders in layouts/_partials/script.html.
declare module "*.css" {
  const text: string;
  export default text;
}
