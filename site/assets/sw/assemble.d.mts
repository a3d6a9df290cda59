type Content = (path: string) => Promise<string>;
export function carried(paths: readonly string[]): string[];
export function assemble(paths: readonly string[], contents: { text: Content; base64: Content; packed: Content }): Promise<string>;
