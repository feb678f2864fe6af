/** Message templates (`messageformat`) of chat outputs. */
import type { Alert, Host } from '../../core/contract.ts';
import { alertData, parseTemplate, templateProblem } from '../../core/template/index.ts';

/**
 * Prepares a message template. An empty one gives no text; one that fails on an alert gives an empty text and is
 * counted, so that the alert itself still goes out.
 * @throws TemplateError when the text is no template
 */
export function messageTemplate(text: string, host: Pick<Host, 'templateFailed'>): (alert: Alert) => string {
  if (text === '') return () => '';
  const template = parseTemplate(text);
  return alert => {
    try {
      return template.render(alertData(alert));
    } catch (error) {
      host.templateFailed(error);
      return '';
    }
  };
}

/** For `check`: says what is wrong with a template; empty when it can be used. */
export function templateProblems(path: string, text: string): { path: string; message: string }[] {
  const message = templateProblem(text);
  return message === undefined ? [] : [{ path, message }];
}
